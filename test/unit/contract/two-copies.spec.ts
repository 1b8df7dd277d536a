import { firstValueFrom, toArray } from 'rxjs';
import { z } from 'zod';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type * as contractEntry from '../../../lib/contract/index.js';
import { MemoryDriver } from '../../../lib/drivers/memory/index.js';
import { MemoryBroker } from '../../../lib/drivers/memory/memory-broker.js';
import { isDiscoBusError } from '../../../lib/errors/disco-bus-error.js';
import { DiscoBusClient } from '../../../lib/transport/disco-bus.client.js';
import { DiscoBusServer } from '../../../lib/transport/disco-bus.server.js';
import type * as transportEntry from '../../../lib/transport/index.js';
import { buses, Inbox } from '../bus/support.js';

type ContractEntry = typeof contractEntry;
type TransportEntry = typeof transportEntry;

/** Another copy of an entry of the package, as one that a shared contract has installed for itself. */
function copyOf<Entry>(path: string): Entry {
  let copy: Entry | undefined;
  jest.isolateModules(() => {
    copy = jest.requireActual(path) as Entry;
  });
  return copy!;
}

const { started } = buses();
const { defineTopic, defineRequest } = copyOf<ContractEntry>('../../../lib/contract/index.js');
const Named = defineTopic('people.named', { schema: z.object({ name: z.string() }) });
const Named2 = Named.version(2, {
  schema: z.object({ given: z.string() }),
  upgrade: ({ name }) => ({ given: name }),
});
const GetPrice = defineRequest('prices.get', {
  schema: z.object({ item: z.string() }),
  reply: z.object({ cents: z.number() }),
});

describe('Definitions of another copy of the package', () => {
  it('are published, checked, upgraded and answered by the bus of this one', async () => {
    const bus = await started({ contract: { GetPrice } });
    const inbox = new Inbox<unknown>();
    await bus.subscribe(Named2, ({ given }) => inbox.push(given));
    await bus.publish(Named, { name: 'Ada' });
    await bus.publish(Named2, { given: 'Grace' });
    expect(await inbox.until(2)).toEqual(['Ada', 'Grace']);
    const refusal = await bus.publish(Named, { name: 5 } as never).catch((error: unknown) => error);
    expect(isDiscoBusError(refusal, 'DISCO_UNRECOVERABLE')).toBe(true);
    await bus.subscribe(GetPrice, ({ item }) => ({ cents: item.length }));
    expect(await bus.client({ GetPrice }).GetPrice({ item: 'lamp' })).toEqual({ cents: 4 });
  });

  it('that are none are told at once', async () => {
    const topic = { name: 'people.named' };
    await expect((await started()).publish(topic as never, 1)).rejects.toMatchObject({
      code: expect.any(String),
    });
    expect(() => new DiscoBus({ driver: new MemoryDriver(), contract: { topic } as never })).toThrow(
      'contract.topic must be made by defineTopic or defineRequest',
    );
  });
});

describe('The transport of another copy of the package', () => {
  const {
    DiscoBusServer: Server,
    DiscoBusClient: Client,
    DiscoRecord,
  } = copyOf<TransportEntry>('../../../lib/transport/index.js');

  it('answers on the bus of this one, streams, and tells a client why its payload was refused', async () => {
    expect(Server).not.toBe(DiscoBusServer);
    const broker = new MemoryBroker();
    const [bus, stranger] = await Promise.all([
      started({ driver: new MemoryDriver({ broker }), contract: { GetPrice } }),
      started({ driver: new MemoryDriver({ broker }) }),
    ]);
    const server = new Server({ bus: bus as never });
    const seen = new Inbox<unknown>();
    server.addHandler('prices.get', async ({ item }) => ({ cents: item.length }), false);
    server.addHandler('tenant', async (_, context) => seen.push(context.getHeaders().tenant), false);
    expect(await new Promise((settled) => server.listen(settled))).toBeUndefined();
    const client = new Client({ bus: stranger as never });
    const ask = (pattern: string, data: unknown) =>
      firstValueFrom(client.send(pattern, data).pipe(toArray()));
    expect(await ask('prices.get', { item: 'lamp' })).toEqual([{ cents: 4 }]);
    await expect(ask('prices.get', { item: 5 })).rejects.toMatchObject({
      name: 'PayloadInvalidError',
      message: expect.stringContaining('item: '),
    });
    // A record, a stream of replies and a refusal: each is of this copy's or the other's class.
    const record = new DiscoRecord(1, { headers: { tenant: 'a' } });
    const own = new DiscoBusClient({ bus: stranger });
    await firstValueFrom(own.send('tenant', record).pipe(toArray()));
    expect(seen.items).toEqual(['a']);
    await Promise.all([client.close(), own.close(), server.close()]);
  });
});
