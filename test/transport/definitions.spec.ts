import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom, of, toArray } from 'rxjs';
import { z } from 'zod';
import { defineRequest, defineTopic } from '../../lib/contract/define.js';
import { DiscoBusContext } from '../../lib/transport/disco-bus.context.js';
import { DiscoEventPattern, DiscoMessagePattern } from '../../lib/transport/disco-patterns.decorator.js';
import { DiscoRecord } from '../../lib/transport/disco-record.js';
import { Collector } from '../support/collector.js';
import { engines, stage, useEngines } from './support.js';

useEngines();

const PersonNamed = defineTopic('people.named', {
  schema: z.object({ name: z.string().min(1) }),
  key: ({ name }) => name.split(' ')[0]!,
  retry: { attempts: 2 },
});
const PersonNamed2 = PersonNamed.version(2, {
  schema: z.object({ given: z.string(), family: z.string() }),
  key: ({ family }) => family,
  upgrade: ({ name }) => {
    const [given = '', family = ''] = name.split(' ');
    return { given, family };
  },
});
const GetPrice = defineRequest('prices.get', {
  schema: z.object({ item: z.string() }),
  reply: z.object({ cents: z.number(), until: z.iso.datetime().transform((at) => new Date(at)) }),
});
const until = '2026-01-02T03:04:05Z';

let handled: Collector<unknown>;

@Controller()
class People {
  @DiscoEventPattern(PersonNamed2, { group: 'typed' })
  named(@Ctx() context: DiscoBusContext, @Payload() person: { given: string; family: string }) {
    const { 'x-key': key, 'x-version': version } = context.getHeaders();
    handled.add({ ...person, key, version });
  }
}

@Controller()
class Prices {
  @DiscoMessagePattern(GetPrice)
  price({ item }: { item: string }) {
    handled.add(item);
    if (item === 'both') return of({ cents: 1, until }, { cents: 2, until });
    return { cents: item === 'chair' ? ('many' as never) : item.length, until };
  }
}

@Controller()
class Untyped {
  @EventPattern('people.named', { group: 'plain' })
  named(@Payload() person: unknown) {
    handled.add(person);
  }

  @MessagePattern('prices.get')
  price(@Payload() item: unknown) {
    handled.add(item);
    return { cents: 1, until };
  }
}

const invalid = (problem: RegExp) => ({
  code: 'DISCO_UNRECOVERABLE',
  problems: [expect.stringMatching(problem)],
});

describe.each(engines)('Definitions over $name', (engine) => {
  const { client, serve } = stage(engine);
  /** A definition that says nothing of delivery is at least once, and a client that does not know it has to agree. */
  const usual = { events: 'at-least-once' } as const;
  beforeEach(() => {
    handled = new Collector();
  });

  it('refuse what does not fit at the client, and send nothing', async () => {
    await serve({ controllers: [People, Prices] });
    const one = client();
    await expect(lastValueFrom(one.emit(PersonNamed, { name: '' }))).rejects.toMatchObject(
      invalid(/^name: /),
    );
    await expect(lastValueFrom(one.send(GetPrice, { item: 7 as never }))).rejects.toMatchObject(
      invalid(/^item: /),
    );
    await lastValueFrom(one.emit(PersonNamed2, { given: 'Ada', family: 'Lovelace' }), {
      defaultValue: undefined,
    });
    expect(await lastValueFrom(one.send(GetPrice, { item: 'lamp' }))).toEqual({
      cents: 4,
      until: new Date(until),
    });
    await handled.has(2);
    expect(handled.values).toEqual(
      expect.arrayContaining([{ given: 'Ada', family: 'Lovelace', key: 'Lovelace', version: '2' }, 'lamp']),
    );
    expect(handled.values).toHaveLength(2);
  });

  it('refuse at the server what a client without them sends', async () => {
    await serve({ controllers: [People, Prices] });
    const stranger = client(usual);
    await expect(lastValueFrom(stranger.send('prices.get', { item: 7 }))).rejects.toEqual({
      status: 'error',
      name: 'PayloadInvalidError',
      code: 'DISCO_UNRECOVERABLE',
      message: 'The payload for "prices.get" is not valid: item: invalid_type',
    });
    await lastValueFrom(stranger.emit('people.named', { name: 7 }), { defaultValue: undefined });
    await lastValueFrom(stranger.emit('people.named', { name: 'Ada Lovelace' }), { defaultValue: undefined });
    await handled.has(1);
    expect(handled.values).toEqual([
      { given: 'Ada', family: 'Lovelace', key: undefined, version: undefined },
    ]);
  });

  it('upgrade what a client of an earlier version emits', async () => {
    await serve({ controllers: [People] });
    const one = client();
    await lastValueFrom(
      one.emit(PersonNamed, new DiscoRecord({ name: 'Grace Hopper' }, { headers: { a: 'b' } })),
      {
        defaultValue: undefined,
      },
    );
    await handled.has(1);
    expect(handled.values).toEqual([{ given: 'Grace', family: 'Hopper', key: 'Grace', version: undefined }]);
  });

  it('refuse a reply that does not fit, and read each of a stream', async () => {
    await serve({ controllers: [Prices] });
    const one = client();
    await expect(lastValueFrom(one.send(GetPrice, { item: 'chair' }))).rejects.toMatchObject({
      code: 'DISCO_REPLY_INVALID',
      problems: ['cents: invalid_type'],
    });
    const both = await lastValueFrom(one.send(GetPrice, { item: 'both' }).pipe(toArray()));
    expect(both).toEqual([1, 2].map((cents) => ({ cents, until: new Date(until) })));
  });

  it('of a bus hold for its patterns too', async () => {
    const contract = { PersonNamed2, GetPrice };
    await serve({ controllers: [Untyped] }, { servers: [{ contract }] });
    const [one, stranger] = [client({ contract }), client(usual)];
    await expect(lastValueFrom(one.emit('people.named', { given: 1 }))).rejects.toMatchObject({
      code: 'DISCO_UNRECOVERABLE',
    });
    await expect(lastValueFrom(one.send('prices.get', { item: 7 }))).rejects.toMatchObject(
      invalid(/^item: /),
    );
    expect(await lastValueFrom(one.send('prices.get', { item: 'a' }))).toEqual({
      cents: 1,
      until: new Date(until),
    });
    await expect(lastValueFrom(stranger.send('prices.get', 7))).rejects.toMatchObject({
      name: 'PayloadInvalidError',
    });
    await lastValueFrom(stranger.emit('people.named', { name: 7 }), { defaultValue: undefined });
    await lastValueFrom(stranger.emit('people.named', { name: 'Ada Lovelace' }), { defaultValue: undefined });
    await handled.has(2);
    expect(handled.values).toEqual([{ item: 'a' }, { given: 'Ada', family: 'Lovelace' }]);
  });
});

describe('A definition in the transport', () => {
  const { client } = stage(engines[0]!);

  it('is of the right kind, and alone says what it says', () => {
    expect(() => DiscoEventPattern(GetPrice as never)).toThrow(/takes a topic made by defineTopic/);
    expect(() => DiscoMessagePattern('prices.get' as never)).toThrow(/takes a request made by defineRequest/);
    const said = { delivery: 'at-most-once' } as never;
    expect(() => DiscoEventPattern(PersonNamed, said)).toThrow(/"people.named"\) cannot change delivery/);
  });

  it('is not sent as what it is not, nor through a serializer', async () => {
    const topic = lastValueFrom(client().send(PersonNamed as never, { name: 'Ada' } as never));
    await expect(topic).rejects.toThrow('"people.named" is a topic: emit it');
    const packed = client({ serializer: { serialize: (packet: unknown) => packet } as never });
    const refused = { code: 'DISCO_CONFIGURATION', message: expect.stringContaining('with a serializer') };
    await expect(lastValueFrom(packed.send(GetPrice, { item: 'lamp' }))).rejects.toMatchObject(refused);
    await expect(lastValueFrom(packed.emit(PersonNamed, { name: 'Ada' }))).rejects.toMatchObject(refused);
  });
});
