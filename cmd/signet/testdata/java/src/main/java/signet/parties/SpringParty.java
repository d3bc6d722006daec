package signet.parties;

import static org.springframework.security.config.Customizer.withDefaults;
import static org.springframework.security.web.servlet.util.matcher.PathPatternRequestMatcher.pathPattern;

import com.nimbusds.jose.jwk.JWK;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.core.annotation.Order;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.client.OAuth2AuthorizeRequest;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClientProviderBuilder;
import org.springframework.security.oauth2.client.authentication.OAuth2AuthenticationToken;
import org.springframework.security.oauth2.client.endpoint.NimbusJwtClientAuthenticationParametersConverter;
import org.springframework.security.oauth2.client.endpoint.OAuth2AuthorizationCodeGrantRequest;
import org.springframework.security.oauth2.client.endpoint.OAuth2RefreshTokenGrantRequest;
import org.springframework.security.oauth2.client.endpoint.RestClientAuthorizationCodeTokenResponseClient;
import org.springframework.security.oauth2.client.endpoint.RestClientRefreshTokenTokenResponseClient;
import org.springframework.security.oauth2.client.oidc.authentication.OidcIdTokenDecoderFactory;
import org.springframework.security.oauth2.client.oidc.authentication.OidcIdTokenValidator;
import org.springframework.security.oauth2.client.oidc.web.logout.OidcClientInitiatedLogoutSuccessHandler;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.client.web.DefaultOAuth2AuthorizationRequestResolver;
import org.springframework.security.oauth2.client.web.DefaultOAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizedClientRepository;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.core.endpoint.OAuth2ParameterNames;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/**
 * A relying party and an API on Spring Boot, with the defaults of Spring Security. parties_test.go
 * documents the pages of its site.
 *
 * <pre>SpringParty ISSUER CLIENT_ID CLIENT_SECRET PORT [KEYED_CLIENT_ID PRIVATE_JWK_FILE]</pre>
 *
 * The registration "signet" has a secret. The registration "strong" is the same client, asks for two
 * factors and accepts nothing weaker. The registration "keyed" signs assertions with the key
 * of the file. The path /api needs an access token for the audience of the issuer, and /plain-api
 * checks the same token as Spring Boot does without a decoder of the application.
 */
@SpringBootApplication
@RestController
public class SpringParty {
	private static final String TWO_FACTORS = "urn:signet:2fa";
	private static JWK key;

	private final DefaultOAuth2AuthorizedClientManager refreshing;
	private final OAuth2AuthorizedClientRepository tokens;

	SpringParty(ClientRegistrationRepository clients, OAuth2AuthorizedClientRepository tokens) {
		this.tokens = tokens;
		// With a day of clock skew, every access token counts as expired.
		refreshing = new DefaultOAuth2AuthorizedClientManager(clients, tokens);
		refreshing.setAuthorizedClientProvider(OAuth2AuthorizedClientProviderBuilder.builder()
				.refreshToken(refresh -> refresh.clockSkew(Duration.ofDays(1)).accessTokenResponseClient(refreshClient())).build());
	}

	public static void main(String[] args) throws Exception {
		var settings = new HashMap<String, Object>(Map.of(
				"server.address", "127.0.0.1",
				"server.port", args[3],
				"spring.security.oauth2.client.provider.signet.issuer-uri", args[0],
				"spring.security.oauth2.client.registration.signet.client-id", args[1],
				"spring.security.oauth2.client.registration.signet.client-secret", args[2],
				"spring.security.oauth2.client.registration.signet.scope", "openid,email,offline_access",
				"spring.security.oauth2.resourceserver.jwt.issuer-uri", args[0]));
		settings.putAll(Map.of(
				"spring.security.oauth2.client.registration.strong.provider", "signet",
				"spring.security.oauth2.client.registration.strong.client-id", args[1],
				"spring.security.oauth2.client.registration.strong.client-secret", args[2],
				"spring.security.oauth2.client.registration.strong.authorization-grant-type", "authorization_code",
				"spring.security.oauth2.client.registration.strong.redirect-uri", "{baseUrl}/login/oauth2/code/{registrationId}",
				"spring.security.oauth2.client.registration.strong.scope", "openid,email"));
		if (args.length > 4) {
			key = JWK.parse(Files.readString(Path.of(args[5])));
			settings.putAll(Map.of(
					"spring.security.oauth2.client.registration.keyed.provider", "signet",
					"spring.security.oauth2.client.registration.keyed.client-id", args[4],
					"spring.security.oauth2.client.registration.keyed.client-authentication-method", "private_key_jwt",
					"spring.security.oauth2.client.registration.keyed.authorization-grant-type", "authorization_code",
					"spring.security.oauth2.client.registration.keyed.redirect-uri", "{baseUrl}/login/oauth2/code/{registrationId}",
					"spring.security.oauth2.client.registration.keyed.scope", "openid,email"));
		}
		var application = new SpringApplication(SpringParty.class);
		application.setDefaultProperties(settings);
		application.run();
	}

	/** Checks access tokens by RFC 9068: their type is at+jwt. */
	@Bean
	@Order(1)
	SecurityFilterChain api(HttpSecurity http, @Value("${spring.security.oauth2.resourceserver.jwt.issuer-uri}") String issuer,
			@Value("${spring.security.oauth2.client.registration.signet.client-id}") String client) throws Exception {
		var decoder = NimbusJwtDecoder.withIssuerLocation(issuer).validateType(false).build();
		decoder.setJwtValidator(JwtValidators.createAtJwtValidator().issuer(issuer).audience(issuer).clientId(client).build());
		return http.securityMatcher("/api").authorizeHttpRequests(all -> all.anyRequest().authenticated())
				.oauth2ResourceServer(server -> server.jwt(jwt -> jwt.decoder(decoder))).build();
	}

	/** Checks access tokens as Spring Boot does if the application says nothing. */
	@Bean
	@Order(1)
	SecurityFilterChain plainAPI(HttpSecurity http) throws Exception {
		return http.securityMatcher("/plain-api").authorizeHttpRequests(all -> all.anyRequest().authenticated())
				.oauth2ResourceServer(server -> server.jwt(withDefaults())).build();
	}

	@Bean
	@Order(2)
	SecurityFilterChain site(HttpSecurity http, ClientRegistrationRepository clients) throws Exception {
		var signOut = new OidcClientInitiatedLogoutSuccessHandler(clients);
		signOut.setPostLogoutRedirectUri("{baseUrl}/bye");
		return http
				.authorizeHttpRequests(all -> all.requestMatchers("/me", "/bye").permitAll().anyRequest().authenticated())
				.oauth2Login(login -> login.authorizationEndpoint(endpoint -> endpoint.authorizationRequestResolver(askingForACR(clients))))
				.oidcLogout(logout -> logout.backChannel(withDefaults()))
				.logout(logout -> logout.logoutRequestMatcher(pathPattern(HttpMethod.GET, "/logout")).logoutSuccessHandler(signOut))
				.build();
	}

	/** Adds acr_values to the requests of the registration "strong". */
	private static DefaultOAuth2AuthorizationRequestResolver askingForACR(ClientRegistrationRepository clients) {
		var resolver = new DefaultOAuth2AuthorizationRequestResolver(clients, "/oauth2/authorization");
		resolver.setAuthorizationRequestCustomizer(request -> request.attributes(attributes -> {
			if ("strong".equals(attributes.get(OAuth2ParameterNames.REGISTRATION_ID))) {
				request.additionalParameters(more -> more.put("acr_values", TWO_FACTORS));
			}
		}));
		return resolver;
	}

	/** Checks the acr of ID tokens of the registration "strong". */
	@Bean
	OidcIdTokenDecoderFactory idTokens() {
		var factory = new OidcIdTokenDecoderFactory();
		factory.setJwtValidatorFactory(registration -> {
			var validator = JwtValidators.createDefaultWithValidators(new OidcIdTokenValidator(registration));
			return "strong".equals(registration.getRegistrationId())
					? new DelegatingOAuth2TokenValidator<>(validator, new JwtClaimValidator<String>("acr", TWO_FACTORS::equals)) : validator;
		});
		return factory;
	}

	/** Makes the client that redeems codes sign an assertion for the registration with a key. */
	@Bean
	RestClientAuthorizationCodeTokenResponseClient codeClient() {
		var client = new RestClientAuthorizationCodeTokenResponseClient();
		client.addParametersConverter(new NimbusJwtClientAuthenticationParametersConverter<OAuth2AuthorizationCodeGrantRequest>(registration -> key));
		return client;
	}

	private static RestClientRefreshTokenTokenResponseClient refreshClient() {
		var client = new RestClientRefreshTokenTokenResponseClient();
		client.addParametersConverter(new NimbusJwtClientAuthenticationParametersConverter<OAuth2RefreshTokenGrantRequest>(registration -> key));
		return client;
	}

	@GetMapping("/")
	void home(HttpServletResponse response) throws Exception {
		response.sendRedirect("/me");
	}

	@GetMapping("/me")
	ResponseEntity<Object> me(@AuthenticationPrincipal OidcUser user) {
		return user == null ? json(401, Map.of("error", "nobody is signed in"))
				: json(200, Map.of("sub", user.getSubject(), "email", String.valueOf(user.getEmail())));
	}

	@GetMapping("/refresh")
	ResponseEntity<Object> refresh(OAuth2AuthenticationToken user, HttpServletRequest request, HttpServletResponse response) {
		var before = tokens.<OAuth2AuthorizedClient>loadAuthorizedClient(user.getAuthorizedClientRegistrationId(), user, request);
		var after = refreshing.authorize(OAuth2AuthorizeRequest.withAuthorizedClient(before).principal(user)
				.attribute(HttpServletRequest.class.getName(), request).attribute(HttpServletResponse.class.getName(), response).build());
		return json(200, Map.of("rotated", !before.getRefreshToken().getTokenValue().equals(after.getRefreshToken().getTokenValue()),
				"access_token", after.getAccessToken().getTokenValue()));
	}

	@GetMapping("/bye")
	ResponseEntity<Object> bye() {
		return json(200, Map.of("said", "Until next time."));
	}

	@GetMapping({"/api", "/plain-api"})
	ResponseEntity<Object> api(@AuthenticationPrincipal Jwt token) {
		return json(200, Map.of("sub", token.getSubject()));
	}

	@ExceptionHandler
	ResponseEntity<Object> failed(Exception error) {
		return json(500, Map.of("error", error.toString()));
	}

	/** Answers with JSON, also to browsers, which ask for HTML. */
	private static ResponseEntity<Object> json(int status, Object body) {
		return ResponseEntity.status(status).contentType(MediaType.APPLICATION_JSON).body(body);
	}
}
