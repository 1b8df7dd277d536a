import { Controller, Injectable } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { lastValueFrom, of, throwError, toArray } from 'rxjs';
import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { DiscoRecordBuilder } from '../../lib/transport/disco-record.js';
import { Collector } from '../support/collector.js';
import { engines, silent, stage, useEngines } from './support.js';

useEngines();

const lossy = { order: { items: [{}, {}, { tags: new Map([['a', 1]]) }] } };
const refusal = expect.objectContaining({ code: 'DISCO_CODEC', path: 'order.items[2].tags' });
const text = expect.stringContaining('order.items[2].tags is a Map');

@Injectable()
@Controller()
class Orders {
  @MessagePattern('lossy')
  lossy(): object {
    return lossy;
  }

  @MessagePattern('lossy-stream')
  stream(): unknown {
    return of({ a: 1 }, lossy, { a: 2 });
  }

  @MessagePattern('failing')
  failing(): unknown {
    return throwError(
      () => new RpcException({ message: 'the true failure', code: 'TRUE', cause: new Error() }),
    );
  }

  @EventPattern('event')
  event(@Payload() payload: unknown): object {
    seen.add(payload);
    return lossy;
  }
}

const seen = new Collector<unknown>();

describe.each(engines)('A payload that JSON would change, on $name', (engine) => {
  const { serve, client } = stage(engine);
  const delivery = engine.options.events ?? 'at-least-once';

  async function bus(): Promise<DiscoBus> {
    const started = new DiscoBus({
      driver: engine.driver(),
      service: 'lossy',
      logger: silent,
      defaults: { delivery },
    });
    await started.start();
    return started;
  }

  it('is refused where it is published, emitted and asked, with its path', async () => {
    await serve(Orders);
    const one = client();
    const own = await bus();
    try {
      await expect(own.publish('t', lossy)).rejects.toEqual(refusal);
      await expect(own.publishBatch('t', [{ a: 1 }, lossy])).rejects.toEqual(
        expect.objectContaining({ code: 'DISCO_CODEC', path: 'order.items[2].tags' }),
      );
      await expect(own.request('t', lossy)).rejects.toEqual(refusal);
    } finally {
      await own.stop();
    }
    await expect(lastValueFrom(one.emit('event', lossy))).rejects.toEqual(refusal);
    await expect(lastValueFrom(one.send('lossy', lossy))).rejects.toEqual(refusal);
    const record = new DiscoRecordBuilder(lossy).setHeaders({ a: '1' }).build();
    await expect(lastValueFrom(one.send('lossy', record))).rejects.toEqual(refusal);
  });

  it('fails its caller at once where a handler replies with it', async () => {
    await serve(Orders);
    const one = client({ timeout: '60s' });
    await expect(lastValueFrom(one.send('lossy', {}))).rejects.toMatchObject({ message: text });
    const values: unknown[] = [];
    const ended = new Promise((resolve) => {
      one.send('lossy-stream', {}).subscribe({ next: (value) => values.push(value), error: resolve });
    });
    expect(await ended).toMatchObject({ message: text });
    expect(values).toEqual([{ a: 1 }]);
    await expect(lastValueFrom(one.send('failing', {}).pipe(toArray()))).rejects.toMatchObject({
      message: 'the true failure',
      code: 'TRUE',
    });
  });

  it('is a RemoteError to who asks a subscription, and nothing to one that only handles', async () => {
    const own = await bus();
    const topic = `lossy-${engine.name.replace(/\W/g, '')}`;
    const handled = new Collector<unknown>();
    const subscription = await own.subscribe(topic, (payload, context) => {
      handled.add([payload, context.attempt]);
      return lossy;
    });
    try {
      await expect(own.request(topic, 1, { timeout: '60s' })).rejects.toMatchObject({
        name: 'RemoteError',
        remoteCode: 'DISCO_CODEC',
        message: text,
      });
      await own.publish(topic, 2);
      await own.publish(topic, 3);
      expect(await handled.has(3)).toEqual([
        [1, 1],
        [2, 1],
        [3, 1],
      ]);
    } finally {
      await subscription.close();
      await own.stop();
    }
  });
});
