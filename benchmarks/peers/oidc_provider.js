// oidc-provider with its tokens in Redis, introspection on; for benchmarks/introspection.py.
//
// node oidc_provider.js PORT REDIS_URL CLIENT SECRET NUMBER
// Issues NUMBER opaque tokens for people, prints them as JSON on one line, and serves on.

import { generateKeyPairSync } from 'node:crypto';
import Redis from 'ioredis';
import { Provider } from 'oidc-provider';

const [port, redisUrl, client, secret, number] = process.argv.slice(2);
const redis = new Redis(redisUrl);

// One key for each entity, as JSON with the time that it lives: what find() costs is one GET.
class RedisAdapter {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `oidc:${this.model}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    const lives = expiresIn ? ['EX', expiresIn] : [];
    await redis.set(this.key(id), JSON.stringify(payload), ...lives);
  }

  async find(id) {
    const found = await redis.get(this.key(id));
    return found ? JSON.parse(found) : undefined;
  }

  async destroy(id) {
    await redis.del(this.key(id));
  }
}

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const provider = new Provider(`http://127.0.0.1:${port}`, {
  adapter: RedisAdapter,
  clients: [{
    client_id: client,
    client_secret: secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: 'invoices:read refunds:read customers:read',
  }],
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    devInteractions: { enabled: false },
  },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'benchmark', use: 'sig', alg: 'RS256' }] },
  scopes: ['invoices:read', 'refunds:read', 'customers:read'],
  ttl: { AccessToken: 3600, Grant: 3600 },
});

// As ours: each token is a person's, under a grant that can be ended before it.
async function issue(account) {
  const oauthClient = await provider.Client.find(client);
  const grant = new provider.Grant({ accountId: account, clientId: client });
  grant.addOIDCScope('invoices:read refunds:read customers:read');
  const grantId = await grant.save();
  const token = new provider.AccessToken({
    accountId: account,
    client: oauthClient,
    grantId,
    gty: 'client_credentials',
    scope: 'invoices:read refunds:read customers:read',
  });
  return token.save();
}

provider.listen(Number(port), '127.0.0.1', async () => {
  const tokens = [];
  for (let made = 0; made < Number(number); made += 1) {
    tokens.push(await issue(`anna-${made}`));
  }
  console.log(JSON.stringify(tokens));
});
