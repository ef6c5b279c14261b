// oidc-provider with its tokens in Redis, introspection on; for benchmarks/introspection.py.
//
// node oidc_provider.js PORT REDIS_URL CLIENT SECRET NUMBER
// Issues NUMBER opaque tokens to the client, prints them as JSON on one line, and serves on.

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
  ttl: { ClientCredentials: 3600 },
});

provider.listen(Number(port), '127.0.0.1', async () => {
  const tokens = [];
  for (let made = 0; made < Number(number); made += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${client}:${secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'invoices:read' }),
    });
    const told = await answer.json();
    if (!told.access_token) throw new Error(JSON.stringify(told));
    tokens.push(told.access_token);
  }
  console.log(JSON.stringify(tokens));
});
