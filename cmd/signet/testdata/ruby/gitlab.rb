# A relying party on GitLab's strategy for OmniAuth, with its defaults. Its sign-out sends the
# browser to the provider with post_logout_redirect_uri only, without an ID token.
#
#   ruby gitlab.rb ISSUER CLIENT_ID CLIENT_SECRET PORT
#
# parties_test.go documents the pages of such a site.
require 'json'
require 'rack'
require 'webrick'
require 'omniauth_openid_connect'

issuer, client_id, client_secret, port = ARGV
origin = "http://127.0.0.1:#{port}"
SWD.url_builder = URI::HTTP # the issuer is http on loopback

json = ->(status, body) { [status, { 'content-type' => 'application/json' }, [JSON.generate(body)]] }
to = ->(target) { [302, { 'location' => target }, []] }

pages = {
  '/login' => lambda { |env|
    token = Rack::Protection::AuthenticityToken.token(env['rack.session'])
    form = %(<form id="begin" method="post" action="/auth/openid_connect"><input name="authenticity_token" value="#{token}"></form>)
    [200, { 'content-type' => 'text/html' }, [form]]
  },
  '/auth/openid_connect/callback' => lambda { |env|
    env['rack.session']['email'] = env['omniauth.auth'].info.email
    to.call('/me')
  },
  '/auth/failure' => ->(env) { json.call(500, error: env['QUERY_STRING']) },
  '/me' => lambda { |env|
    email = env['rack.session']['email']
    email ? json.call(200, email: email) : json.call(401, error: 'nobody is signed in')
  },
  '/logout' => lambda { |env|
    env['rack.session'].clear
    to.call('/auth/openid_connect/logout') # the strategy redirects to the provider
  },
  '/bye' => ->(_) { json.call(200, said: 'Until next time.') },
}

site = Rack::Builder.new do
  use Rack::Session::Cookie, key: 'party', secret: 'k' * 64
  use OmniAuth::Builder do
    provider :openid_connect, {
      issuer: issuer, discovery: true, scope: %i[openid email], post_logout_redirect_uri: "#{origin}/bye",
      client_options: { identifier: client_id, secret: client_secret, redirect_uri: "#{origin}/auth/openid_connect/callback" }
    }
  end
  run ->(env) { pages.fetch(env['PATH_INFO'], ->(_) { json.call(404, error: 'no such page') }).call(env) }
end

Rack::Handler::WEBrick.run(site, Host: '127.0.0.1', Port: Integer(port), AccessLog: [])
