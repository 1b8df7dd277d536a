import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { trace } from '@opentelemetry/api';
import { firstValueFrom, lastValueFrom, of, toArray } from 'rxjs';
import { openTelemetry } from '../../lib/opentelemetry/open-telemetry.js';
import { Telemetry } from '../support/telemetry.js';
import { engines, stage, useEngines } from './support.js';

useEngines();

let telemetry: Telemetry;
let handlerSpans: (string | undefined)[] = [];

function noteSpan(): void {
  handlerSpans.push(trace.getActiveSpan()?.spanContext().spanId);
}

@Controller()
class Sums {
  @MessagePattern({ cmd: 'sum' })
  sum(@Payload() numbers: number[]): number {
    noteSpan();
    return numbers.reduce((total, each) => total + each, 0);
  }

  @MessagePattern('count')
  count() {
    return of(1, 2, 3);
  }

  @EventPattern('added')
  added(@Payload() _: unknown): void {
    noteSpan();
  }
}

describe.each(engines)('Tracing of the transport over $name', (engine) => {
  const { serve, client } = stage(engine);
  const traced = () => ({ tracing: openTelemetry() });

  beforeEach(async () => {
    telemetry = new Telemetry();
    handlerSpans = [];
    await serve(Sums, { servers: [traced()] });
  });
  afterEach(() => telemetry.close());

  it('a request is processed by a child of it, under the pattern as written', async () => {
    const caller = client(traced());
    const { result, id } = await telemetry.within('http', () =>
      firstValueFrom(caller.send<number>({ cmd: 'sum' }, [1, 2])),
    );
    expect(result).toBe(3);
    const [request] = await telemetry.named('request {"cmd":"sum"}');
    const [process] = await telemetry.named('process {"cmd":"sum"}');
    expect(request).toMatchObject({ parentId: id, kind: 'PRODUCER', failed: false });
    expect(process).toMatchObject({ parentId: request.spanId, kind: 'CONSUMER', failed: false });
    expect(handlerSpans).toEqual([process.spanId]);
    await caller.close();
    // What the client asks on its own account, as where the handlers are, is nobody's request.
    expect(telemetry.spans.map(({ name }) => name).sort()).toEqual(['http', process.name, request.name]);
  });

  it('a stream ends both spans with its last reply', async () => {
    expect(await lastValueFrom(client(traced()).send('count', {}).pipe(toArray()))).toEqual([1, 2, 3]);
    const [request] = await telemetry.named('request count');
    const [process] = await telemetry.named('process count');
    expect([request.failed, process.failed]).toEqual([false, false]);
    expect(request.attributes).not.toHaveProperty('messaging.disco_bus.called_off');
  });

  it('an event is processed by a child of its publish', async () => {
    const { id } = await telemetry.within('http', () =>
      lastValueFrom(client(traced()).emit('added', 1), { defaultValue: 0 }),
    );
    const [publish] = await telemetry.named('publish added');
    const [process] = await telemetry.named('process added');
    expect(publish.parentId).toBe(id);
    expect(process.parentId).toBe(publish.spanId);
    expect(handlerSpans).toEqual([process.spanId]);
  });

  it('a context that a hook has put into the metadata of the packet counts as the caller’s', async () => {
    const caller = client(traced());
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    Object.assign(caller, {
      createPacket: (pattern: unknown, data: unknown) => ({ pattern, data, metadata: { traceparent } }),
    });
    await firstValueFrom(caller.send({ cmd: 'sum' }, [1]));
    const [request] = await telemetry.named('request {"cmd":"sum"}');
    const [process] = await telemetry.named('process {"cmd":"sum"}');
    expect(request).toMatchObject({ kind: 'CLIENT', links: ['b7ad6b7169203331'] });
    expect(process).toMatchObject({
      parentId: 'b7ad6b7169203331',
      traceId: '0af7651916cd43dd8448eb211c80319c',
    });
  });
});
