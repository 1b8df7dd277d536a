import { Injectable, Module } from '@nestjs/common';
import { NestFactory, SerializedGraph } from '@nestjs/core';
import { DiscoBusModule, DiscoPayload, DiscoSubscribe } from 'nestjs-disco-bus';

@Injectable()
class Orders {
  @DiscoSubscribe('orders.placed', { group: 'billing' })
  bill(@DiscoPayload() _order: unknown) {}

  @DiscoSubscribe('orders.*', { delivery: 'at-most-once' })
  watch() {}
}

@Module({
  imports: [DiscoBusModule.forRoot({ url: 'memory:', service: 'shop' })],
  providers: [Orders],
})
class AppModule {}

async function graphOf(options: object): Promise<any> {
  const app = await NestFactory.create(AppModule, { logger: false, ...options });
  await app.init();
  const graph = JSON.parse(app.get(SerializedGraph).toString());
  await app.close();
  return graph;
}

describe('The graph of the devtools', () => {
  it('has each handler as an entrypoint of its class, with topic, group and guarantee', async () => {
    const { nodes, entrypoints } = await graphOf({ snapshot: true });
    const [id] = Object.keys(nodes).filter((each) => nodes[each].label === 'Orders');
    const common = { id: expect.any(String), type: 'microservice', className: 'Orders', classNodeId: id };
    const ofBus = { transportId: 'DISCO_BUS', isEventHandler: true, bus: 'default' };
    expect(entrypoints[id]).toEqual([
      {
        ...common,
        methodName: 'bill',
        metadata: {
          ...ofBus,
          ...{ key: 'orders.placed', patterns: ['orders.placed'], topic: 'orders.placed' },
          ...{ group: 'billing', guarantee: 'at-least-once' },
        },
      },
      {
        ...common,
        methodName: 'watch',
        metadata: {
          ...ofBus,
          ...{ key: 'orders.*', patterns: ['orders.*'], topic: 'orders.*', guarantee: 'at-most-once' },
        },
      },
    ]);
  });

  it('is not kept without a snapshot', async () => {
    const { entrypoints } = await graphOf({});
    expect(entrypoints).toEqual({});
  });
});
