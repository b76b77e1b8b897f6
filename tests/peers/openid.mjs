// oidc-provider as an enterprise's identity provider: node openid.mjs SETTINGS.json. It listens on loopback only, prints
// "ready" when it does, and a line for each event that a test waits for.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const { port, clients, users, conform } = JSON.parse(readFileSync(process.argv[2]));
const issuer = `http://127.0.0.1:${port}`;
const escaped = (text) => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
const page = (title, form) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${form}</html>`;

const key = (kind, options, kid) => ({ ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), kid, use: 'sig' });

const provider = new Provider(issuer, {
  clients,
  jwks: { keys: [key('rsa', { modulusLength: 2048 }, 'rsa-1'), key('ec', { namedCurve: 'P-256' }, 'ec-1')] },
  cookies: { keys: ['a key for tests only'] },
  pkce: { required: () => true },
  scopes: ['openid', 'offline_access', 'email', 'profile', 'groups'],
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'given_name', 'family_name'],
    groups: ['groups'],
  },
  // Claims stand in the ID token, as most enterprises' providers do it; with `conform` they come by userinfo only.
  conformIdTokenClaims: conform,
  // Its guard against private addresses would keep logout from reaching an application on this machine; and after two
  // and a half seconds it would give up an application whose machine is busy.
  fetch: (url, { dispatcher, signal, ...options }) => globalThis.fetch(url, options),
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource(ctx, form) {
        ctx.body = page('Sign out', `${form}<button form="op.logoutForm" name="logout" value="yes">Sign out</button>`);
      },
      postLogoutSuccessSource(ctx) {
        ctx.body = page('Signed out', '');
      },
    },
    userinfo: { enabled: true },
  },
  interactions: { url: (ctx, interaction) => `/login/${interaction.uid}` },
  async findAccount(ctx, id) {
    const user = users[id];
    return user && { accountId: id, claims: async () => ({ sub: id, ...user.claims }) };
  },
});

provider.on('backchannel.success', (ctx, client) => console.log('told', client.clientId));
provider.on('backchannel.error', (ctx, error, client) => console.log('not told', client.clientId, error.message));
provider.on('server_error', (ctx, error) => console.log('server error', error.message));

async function interact(request, response) {
  const details = await provider.interactionDetails(request, response);
  const { name } = details.prompt;
  response.setHeader('content-type', 'text/html; charset=utf-8');
  if (request.method === 'GET') {
    const hint = escaped(details.params.login_hint ?? '');
    return response.end(name === 'login'
      ? page('Sign in', `<form method="post"><label>E-mail <input name="email" value="${hint}"></label><label>Password <input name="password" type="password"></label><button>Sign in</button></form>`)
      : page('Allow', '<form method="post"><button name="allow" value="yes">Allow</button><button name="allow" value="no">Refuse</button></form>'));
  }
  let body = '';
  for await (const part of request) body += part;
  const form = new URLSearchParams(body);
  if (name === 'login') {
    const found = Object.entries(users).find(([, user]) => user.login === form.get('email') && user.password === form.get('password'));
    if (!found) {
      response.statusCode = 401;
      return response.end(page('Wrong', ''));
    }
    return provider.interactionFinished(request, response, { login: { accountId: found[0] } });
  }
  if (form.get('allow') !== 'yes') {
    return provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'The person refused' });
  }
  const { params, session, grantId } = details;
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

// oidc-provider has no front-channel logout any more: the page that a provider with it would show.
function signingOut(request, response) {
  const frame = new URL(request.url, issuer).searchParams.get('frame');
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.end(page('Signing out', `<iframe src="${escaped(frame)}"></iframe>`));
}

const answer = provider.callback();
createServer((request, response) => {
  if (request.url.startsWith('/signing-out?')) return signingOut(request, response);
  if (!/^\/login\/[\w-]+$/.test(request.url)) return answer(request, response);
  return interact(request, response).catch((error) => {
    response.statusCode = 500;
    response.end(String(error));
  });
}).listen(port, '127.0.0.1', () => console.log('ready'));
