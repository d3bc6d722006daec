package signet.parties;

import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.util.JSONObjectUtils;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.oauth2.sdk.AuthorizationCodeGrant;
import com.nimbusds.oauth2.sdk.AuthorizationGrant;
import com.nimbusds.oauth2.sdk.AuthorizationRequest;
import com.nimbusds.oauth2.sdk.AuthorizationResponse;
import com.nimbusds.oauth2.sdk.ErrorObject;
import com.nimbusds.oauth2.sdk.ErrorResponse;
import com.nimbusds.oauth2.sdk.GrantType;
import com.nimbusds.oauth2.sdk.PushedAuthorizationRequest;
import com.nimbusds.oauth2.sdk.PushedAuthorizationResponse;
import com.nimbusds.oauth2.sdk.PushedAuthorizationSuccessResponse;
import com.nimbusds.oauth2.sdk.RefreshTokenGrant;
import com.nimbusds.oauth2.sdk.Response;
import com.nimbusds.oauth2.sdk.ResponseType;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenIntrospectionRequest;
import com.nimbusds.oauth2.sdk.TokenIntrospectionResponse;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.TokenRevocationRequest;
import com.nimbusds.oauth2.sdk.auth.ClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.ClientAuthenticationMethod;
import com.nimbusds.oauth2.sdk.auth.JWTAuthenticationClaimsSet;
import com.nimbusds.oauth2.sdk.auth.PrivateKeyJWT;
import com.nimbusds.oauth2.sdk.client.ClientDeleteRequest;
import com.nimbusds.oauth2.sdk.client.ClientReadRequest;
import com.nimbusds.oauth2.sdk.client.ClientRegistrationResponse;
import com.nimbusds.oauth2.sdk.device.DeviceAuthorizationRequest;
import com.nimbusds.oauth2.sdk.device.DeviceAuthorizationResponse;
import com.nimbusds.oauth2.sdk.device.DeviceCodeGrant;
import com.nimbusds.oauth2.sdk.http.HTTPResponse;
import com.nimbusds.oauth2.sdk.id.Audience;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.oauth2.sdk.id.State;
import com.nimbusds.oauth2.sdk.pkce.CodeChallengeMethod;
import com.nimbusds.oauth2.sdk.pkce.CodeVerifier;
import com.nimbusds.oauth2.sdk.token.BearerAccessToken;
import com.nimbusds.oauth2.sdk.token.Token;
import com.nimbusds.openid.connect.sdk.AuthenticationRequest;
import com.nimbusds.openid.connect.sdk.Nonce;
import com.nimbusds.openid.connect.sdk.OIDCTokenResponse;
import com.nimbusds.openid.connect.sdk.OIDCTokenResponseParser;
import com.nimbusds.openid.connect.sdk.Prompt;
import com.nimbusds.openid.connect.sdk.SubjectType;
import com.nimbusds.openid.connect.sdk.UserInfoRequest;
import com.nimbusds.openid.connect.sdk.UserInfoResponse;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import com.nimbusds.openid.connect.sdk.rp.OIDCClientInformation;
import com.nimbusds.openid.connect.sdk.rp.OIDCClientInformationResponse;
import com.nimbusds.openid.connect.sdk.rp.OIDCClientMetadata;
import com.nimbusds.openid.connect.sdk.rp.OIDCClientRegistrationRequest;
import com.nimbusds.openid.connect.sdk.rp.OIDCClientRegistrationResponseParser;
import com.nimbusds.openid.connect.sdk.rp.OIDCClientUpdateRequest;
import com.nimbusds.openid.connect.sdk.token.OIDCTokens;
import com.nimbusds.openid.connect.sdk.validators.IDTokenValidator;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.time.Instant;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Clients on the SDK of Nimbus. Each line of standard input starts a story in JSON. When a story
 * needs the browser, the program prints {"visit": URL}, and the next line is the URL at which the
 * browser ended. Its last line is the report of the story.
 *
 * <pre>NimbusParty ISSUER</pre>
 */
public class NimbusParty {
	private static final BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
	private static OIDCProviderMetadata provider;

	public static void main(String[] args) throws Exception {
		provider = OIDCProviderMetadata.resolve(new Issuer(args[0]));
		for (String line; (line = lines.readLine()) != null;) {
			Map<String, Object> report;
			try {
				var job = JSONObjectUtils.parse(line);
				report = switch ((String) job.get("story")) {
					case "registered" -> new NimbusParty(job).registered();
					case "pairwise" -> new NimbusParty(job).pairwise();
					case "device" -> device(job);
					default -> Map.of("failed", "there is no such story");
				};
			} catch (Exception error) {
				report = Map.of("failed", error + " at " + error.getStackTrace()[0]);
			}
			System.out.println(JSONObjectUtils.toJSONString(report));
		}
	}

	private final Map<String, Object> job;
	private final ECKey key = new ECKeyGenerator(Curve.P_256).keyID("one").algorithm(JWSAlgorithm.ES256).generate();
	private OIDCClientInformation client;

	NimbusParty(Map<String, Object> job) throws Exception {
		this.job = job;
	}

	/** A client registers itself, signs in, changes its registration and deletes itself. */
	private Map<String, Object> registered() throws Exception {
		var report = new LinkedHashMap<String, Object>();
		var metadata = keyedClient();
		metadata.setRequestObjectJWSAlg(JWSAlgorithm.ES256);
		register(metadata);

		var asked = new SignIn();
		var pushed = push(asked.request, key).toSuccessResponse();
		report.put("life", pushed.getLifetime());
		var first = asked.finish(pushed);
		report.put("subject", asked.subject);
		report.put("email", UserInfoResponse.parse(
				new UserInfoRequest(provider.getUserInfoEndpointURI(), first.getAccessToken()).toHTTPRequest().send())
				.toSuccessResponse().getUserInfo().getEmailAddress());

		var next = tokens(new RefreshTokenGrant(first.getRefreshToken()));
		report.put("active", isActive(next.getAccessToken()));
		report.put("otherKey", error(push(asked.request, foreignKey())));

		// A signed request, in the way that the client is registered for.
		var again = new SignIn();
		again.finish(push(again.signedBy(key), key).toSuccessResponse());
		report.put("signedSubject", again.subject);
		report.put("otherObject", error(push(again.signedBy(foreignKey()), key)));

		new TokenRevocationRequest(provider.getRevocationEndpointURI(), proof(key), next.getRefreshToken()).toHTTPRequest().send().ensureStatusCode(200);
		report.put("revoked", error(OIDCTokenResponseParser.parse(redeem(new RefreshTokenGrant(next.getRefreshToken())))));
		report.put("dead", isActive(next.getAccessToken()));

		report.put("read", registration(OIDCClientRegistrationResponseParser.parse(read())).getOIDCMetadata().getName());
		client.getOIDCMetadata().setName("After");
		var changed = new OIDCClientUpdateRequest(client.getRegistrationURI(), client.getID(), client.getRegistrationAccessToken(), client.getOIDCMetadata(), null);
		report.put("changed", registration(OIDCClientRegistrationResponseParser.parse(changed.toHTTPRequest().send())).getOIDCMetadata().getName());
		report.put("deleted", new ClientDeleteRequest(client.getRegistrationURI(), client.getRegistrationAccessToken()).toHTTPRequest().send().getStatusCode());
		report.put("gone", error(OIDCClientRegistrationResponseParser.parse(read())));
		return report;
	}

	/** A client with pairwise subjects registers itself and signs in. */
	private Map<String, Object> pairwise() throws Exception {
		var metadata = keyedClient();
		metadata.setSubjectType(SubjectType.PAIRWISE);
		register(metadata);
		var asked = new SignIn();
		var tokens = asked.finish(push(asked.request, key).toSuccessResponse());
		var userInfo = UserInfoResponse.parse(new UserInfoRequest(provider.getUserInfoEndpointURI(), tokens.getAccessToken()).toHTTPRequest().send())
				.toSuccessResponse().getUserInfo();
		if (!userInfo.getSubject().getValue().equals(asked.subject)) {
			throw new IllegalStateException("/userinfo knows another subject: " + userInfo.getSubject());
		}
		return Map.of("subject", asked.subject);
	}

	/** Returns the metadata of a client that proves itself with its key. */
	private OIDCClientMetadata keyedClient() {
		var metadata = new OIDCClientMetadata();
		metadata.setName("Before");
		metadata.setRedirectionURI(redirectURI());
		metadata.setGrantTypes(Set.of(GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN));
		metadata.setResponseTypes(Set.of(ResponseType.CODE));
		metadata.setTokenEndpointAuthMethod(ClientAuthenticationMethod.PRIVATE_KEY_JWT);
		metadata.setJWKSet(new JWKSet(key.toPublicJWK()));
		metadata.setIDTokenJWSAlg(JWSAlgorithm.ES256);
		return metadata;
	}

	private void register(OIDCClientMetadata metadata) throws Exception {
		client = registration(OIDCClientRegistrationResponseParser.parse(
				new OIDCClientRegistrationRequest(provider.getRegistrationEndpointURI(), metadata, new BearerAccessToken((String) job.get("token"))).toHTTPRequest().send()));
	}

	/** One sign-in of the client. */
	private class SignIn {
		private final State state = new State();
		private final Nonce nonce = new Nonce();
		private final CodeVerifier verifier = new CodeVerifier();
		private final AuthenticationRequest request = new AuthenticationRequest.Builder(
				ResponseType.CODE, new Scope("openid", "email", "offline_access"), client.getID(), redirectURI())
				.state(state).nonce(nonce).codeChallenge(verifier, CodeChallengeMethod.S256).prompt(Prompt.Type.CONSENT).build();
		private String subject;

		/** Returns the request as a request object (RFC 9101). */
		private AuthenticationRequest signedBy(ECKey by) throws Exception {
			var claims = new JWTClaimsSet.Builder(request.toJWTClaimsSet()).issuer(client.getID().getValue()).audience(provider.getIssuer().getValue())
					.expirationTime(Date.from(Instant.now().plusSeconds(60))).build();
			var object = new SignedJWT(new JWSHeader.Builder(JWSAlgorithm.ES256).keyID(by.getKeyID()).type(new JOSEObjectType("oauth-authz-req+jwt")).build(), claims);
			object.sign(new ECDSASigner(by));
			return new AuthenticationRequest.Builder(object, client.getID()).build();
		}

		/** Sends the browser to a pushed request, checks the response and redeems the code. */
		private OIDCTokens finish(PushedAuthorizationSuccessResponse pushed) throws Exception {
			var start = new AuthorizationRequest.Builder(pushed.getRequestURI(), client.getID()).endpointURI(provider.getAuthorizationEndpointURI()).build().toURI();
			var answer = AuthorizationResponse.parse(visit(start)).toSuccessResponse();
			if (!answer.getState().equals(state) || !answer.getIssuer().equals(provider.getIssuer())) {
				throw new IllegalStateException("the response has another state or issuer: " + answer.toParameters());
			}
			var tokens = tokens(new AuthorizationCodeGrant(answer.getAuthorizationCode(), redirectURI(), verifier));
			subject = new IDTokenValidator(provider.getIssuer(), client.getID(), JWSAlgorithm.ES256, provider.getJWKSetURI().toURL())
					.validate(tokens.getIDToken(), nonce).getSubject().getValue();
			return tokens;
		}
	}

	private static ECKey foreignKey() throws Exception {
		return new ECKeyGenerator(Curve.P_256).keyID("one").generate();
	}

	private URI redirectURI() {
		return URI.create((String) job.get("redirect_uri"));
	}

	private static OIDCClientInformation registration(ClientRegistrationResponse response) {
		return ((OIDCClientInformationResponse) response.toSuccessResponse()).getOIDCClientInformation();
	}

	private HTTPResponse read() throws Exception {
		return new ClientReadRequest(client.getRegistrationURI(), client.getRegistrationAccessToken()).toHTTPRequest().send();
	}

	/** Returns a new assertion for the issuer. */
	private ClientAuthentication proof(ECKey by) throws Exception {
		var claims = new JWTAuthenticationClaimsSet(client.getID(), new Audience(provider.getIssuer()));
		return new PrivateKeyJWT(claims, JWSAlgorithm.ES256, by.toECPrivateKey(), by.getKeyID(), null);
	}

	private PushedAuthorizationResponse push(AuthenticationRequest request, ECKey by) throws Exception {
		return PushedAuthorizationResponse.parse(
				new PushedAuthorizationRequest(provider.getPushedAuthorizationRequestEndpointURI(), proof(by), request).toHTTPRequest().send());
	}

	private HTTPResponse redeem(AuthorizationGrant grant) throws Exception {
		return new TokenRequest.Builder(provider.getTokenEndpointURI(), proof(key), grant).build().toHTTPRequest().send();
	}

	private OIDCTokens tokens(AuthorizationGrant grant) throws Exception {
		return ((OIDCTokenResponse) OIDCTokenResponseParser.parse(redeem(grant)).toSuccessResponse()).getOIDCTokens();
	}

	private boolean isActive(Token token) throws Exception {
		return TokenIntrospectionResponse.parse(
				new TokenIntrospectionRequest(provider.getIntrospectionEndpointURI(), proof(key), token).toHTTPRequest().send())
				.toSuccessResponse().isActive();
	}

	/** A device, which has no secret. */
	private static Map<String, Object> device(Map<String, Object> job) throws Exception {
		var id = new ClientID((String) job.get("client_id"));
		var waiting = DeviceAuthorizationResponse.parse(new DeviceAuthorizationRequest.Builder(id)
				.endpointURI(provider.getDeviceAuthorizationEndpointURI()).scope(new Scope("openid", "offline_access")).build().toHTTPRequest().send()).toSuccessResponse();
		visit(waiting.getVerificationURIComplete());
		var poll = new TokenRequest.Builder(provider.getTokenEndpointURI(), id, new DeviceCodeGrant(waiting.getDeviceCode())).build();
		var tokens = ((OIDCTokenResponse) OIDCTokenResponseParser.parse(poll.toHTTPRequest().send()).toSuccessResponse()).getOIDCTokens();
		var claims = new IDTokenValidator(provider.getIssuer(), id, JWSAlgorithm.RS256, provider.getJWKSetURI().toURL()).validate(tokens.getIDToken(), null);
		return Map.of("subject", claims.getSubject().getValue(), "life", waiting.getLifetime(), "interval", waiting.getInterval(),
				"refreshable", tokens.getRefreshToken() != null, "again", error(OIDCTokenResponseParser.parse(poll.toHTTPRequest().send())));
	}

	/** Returns the code of a response that must be an error. */
	private static String error(Response response) {
		return response.indicatesSuccess() ? "no error" : ((ErrorResponse) response).getErrorObject().getCode();
	}

	private static URI visit(URI url) throws Exception {
		System.out.println(JSONObjectUtils.toJSONString(Map.of("visit", url.toString())));
		return URI.create(lines.readLine());
	}
}
