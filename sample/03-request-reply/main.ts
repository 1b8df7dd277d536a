import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoBusServer } from 'nestjs-disco-bus/transport';
import { GatewayModule } from './gateway.module.js';
import { url } from './transport.js';
import { WarehouseModule } from './warehouse.module.js';

Logger.log(
  'An HTTP gateway asks two instances of a service, streams from one, and is told when nobody is there.',
  'Sample',
);

const logger = new Logger('Browser');
const options = { logger: ['warn', 'error'] as ('warn' | 'error')[] };

// Two instances of the service; with a Redis they could as well be processes on two machines.
const instances = await Promise.all(
  ['A', 'B'].map(async (name) => {
    const strategy = new DiscoBusServer({ url });
    const instance = await NestFactory.createMicroservice(WarehouseModule.named(name), {
      ...options,
      strategy,
    });
    await instance.listen();
    return instance;
  }),
);
const gateway = await NestFactory.create(GatewayModule, options);
await gateway.listen(0, '127.0.0.1');
gateway.useLogger(['log', 'warn', 'error']);
const get = async (path: string) => fetch(`${await gateway.getUrl()}/stock/${encodeURI(path)}`);

for (let request = 0; request < 4; request++) {
  logger.log(`GET mirror ball: ${await (await get('mirror ball')).text()}`);
}
const missing = await get('unicorn');
logger.log(`GET unicorn: ${missing.status} ${await missing.text()}`);

const events = await (await get('fog machine/watch')).text();
for (const [, data] of events.matchAll(/^data: (.*)$/gm)) logger.log(`event: ${data}`);

await Promise.all(instances.map((instance) => instance.close()));
const closed = await get('mirror ball');
logger.log(`after closing time: ${closed.status} ${await closed.text()}`);
await gateway.close();
