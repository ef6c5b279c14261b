// Every flow that oauth4webapi has and the server supports: prints what it got as one line of JSON.
import * as oauth from 'oauth4webapi'

const [issuer, id, secret, api, apiSecret, reason] = process.argv.slice(2)
const insecure = { [oauth.allowInsecureRequests]: true } // the demo is on loopback, without TLS
const url = new URL(issuer)
const found = await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...insecure })
const as = await oauth.processDiscoveryResponse(url, found)
const self = { client_id: id }
const proof = oauth.ClientSecretPost(secret)

const granted = await oauth.clientCredentialsGrantRequest(
  as, self, proof, { bundle: 'staging-logs', duration: '5m', reason: 'the nightly report' }, insecure)
const atOnce = await oauth.processClientCredentialsResponse(as, self, granted)

const answered = await oauth.backchannelAuthenticationRequest(
  as, self, proof,
  { login_hint: `client:${id}`, bundle: 'deploy-production', scope: 'logs:read:production', ticket: 'OPS-7', reason },
  insecure)
const asked = await oauth.processBackchannelAuthenticationResponse(as, self, answered)
let decided
let interval = asked.interval ?? 5
while (!decided) {
  const polled = await oauth.backchannelAuthenticationGrantRequest(as, self, proof, asked.auth_req_id, insecure)
  try {
    decided = await oauth.processBackchannelAuthenticationGrantResponse(as, self, polled)
  } catch (problem) {
    if (!(problem instanceof oauth.ResponseBodyError)) throw problem
    if (problem.error === 'slow_down') interval += 5
    else if (problem.error !== 'authorization_pending') throw problem
    await new Promise((done) => setTimeout(done, interval * 1000))
  }
}

const owner = { client_id: api }
const ownersProof = oauth.ClientSecretBasic(apiSecret)
const introspect = async () => oauth.processIntrospectionResponse(
  as, owner, await oauth.introspectionRequest(as, owner, ownersProof, decided.access_token, insecure))
const before = await introspect()
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, self, proof, decided.access_token, insecure))
const after = await introspect()
console.log(JSON.stringify({
  at_once: atOnce.access_token, decided: decided.access_token, scope: decided.scope, before, after,
}))
