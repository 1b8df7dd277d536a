// This library: DiscoBusClient.send → a @MessagePattern handler behind DiscoBusServer, one of all instances answering.
import { echoController, serve } from '../harness/echo-service.mjs';
import { fromRoot } from '../harness/library.mjs';

const { ClientProxyFactory } = await fromRoot('@nestjs/microservices');
const { DiscoBusClient, DiscoBusServer } = await fromRoot('nestjs-disco-bus/transport');
const { lastValueFrom } = await fromRoot('rxjs');

/** Resolves with a function that asks and resolves with the reply. */
export async function client({ url }) {
  const proxy = ClientProxyFactory.create({ customClass: DiscoBusClient, options: { url } });
  await proxy.connect();
  return (payload) => lastValueFrom(proxy.send('bench', payload));
}

/** Resolves when the service answers. */
export async function server({ url }) {
  await serve(echoController('bench'), { strategy: new DiscoBusServer({ url }) });
}
