// Every flow that openid-client has and the server supports: prints what it got as one line of JSON.
import * as client from 'openid-client'

const [issuer, id, secret, api, apiSecret, reason] = process.argv.slice(2)
const insecure = { execute: [client.allowInsecureRequests] } // the demo is on loopback, without TLS
const config = await client.discovery(new URL(issuer), id, secret, client.ClientSecretBasic(secret), insecure)

const atOnce = await client.clientCredentialsGrant(config, {
  scope: 'logs:read:staging', duration: '300', reason: 'the nightly report',
})
const details = [{ type: 'access_bundle', bundle: 'deploy-production', duration: 600, reason, ticket: 'OPS-7' }]
const asked = await client.initiateBackchannelAuthentication(config, {
  login_hint: 'anna@acme.example', binding_message: 'OC-6', authorization_details: JSON.stringify(details),
})
const decided = await client.pollBackchannelAuthenticationGrant(config, asked)

const owner = await client.discovery(new URL(issuer), api, apiSecret, client.ClientSecretPost(apiSecret), insecure)
const before = await client.tokenIntrospection(owner, decided.access_token)
await client.tokenRevocation(config, decided.access_token)
const after = await client.tokenIntrospection(owner, decided.access_token)
console.log(JSON.stringify({
  at_once: atOnce.access_token, decided: decided.access_token, scope: decided.scope, before, after,
}))
