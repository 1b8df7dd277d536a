// Nest's own Redis transport: ClientProxy.send → a @MessagePattern handler that returns what it is given.
import { echoController, serve } from '../harness/echo-service.mjs';
import { fromRoot } from '../harness/library.mjs';

const { ClientProxyFactory, Transport } = await fromRoot('@nestjs/microservices');
const { lastValueFrom } = await fromRoot('rxjs');

const redis = ({ port }) => ({ transport: Transport.REDIS, options: { host: '127.0.0.1', port } });

/** Resolves with a function that asks and resolves with the reply. */
export async function client(options) {
  const proxy = ClientProxyFactory.create(redis(options));
  await proxy.connect();
  return (payload) => lastValueFrom(proxy.send('bench', payload));
}

/** Resolves when the service answers. */
export async function server(options) {
  await serve(echoController('bench'), redis(options));
}
