import type { DriverSubscribeOptions } from '../../../lib/driver/driver.js';
import { Hand, type HandRole } from '../../../lib/drivers/redis/streams/consume/hand.js';
import { StreamDelivery } from '../../../lib/drivers/redis/streams/consume/stream-delivery.js';
import {
  ConsumerSubscriptions,
  Places,
  StreamSubscription,
} from '../../../lib/drivers/redis/streams/consume/subscriptions.js';
import { readEntry } from '../../../lib/drivers/redis/streams/stream-entry.js';

const options: DriverSubscribeOptions = {
  delivery: 'at-least-once',
  group: 'g',
  maxInFlight: 0,
  startFrom: 'beginning',
  tellsBegin: true,
};
const owner = { wake: () => {}, leave: async () => {}, fault: () => {} };
const records = { add: async () => {}, noteParts: () => {}, begins: () => {}, serverNow: () => 0 };

/** A hand whose subscriptions have so many places each, and what they were handed. */
function setUp(...places: number[]) {
  const subscriptions = new ConsumerSubscriptions({ pump: () => {} });
  const handed: string[][] = places.map(() => []);
  const all = places.map(
    (count, index) =>
      new StreamSubscription(owner, new Places(count), options, ({ position }) =>
        handed[index].push(position as string),
      ),
  );
  for (const each of all) subscriptions.add(each);
  const hand = new Hand(subscriptions);
  const add = (id: string, role: HandRole = 'ordinary', fields: Record<string, string | number> = {}) => {
    const texts = Object.entries({ f: 'frame', ...fields }).flat();
    const delivery = new StreamDelivery(
      't',
      readEntry(
        'S',
        id,
        texts.map((text) => Buffer.from(String(text))),
      ),
      records,
    );
    return { delivery, added: hand.add(delivery, role) };
  };
  /** Hands over all that may be, and returns what was taken out of its time. */
  const pump = (nowMs = 0) => {
    const expired: string[] = [];
    for (let next = hand.next(nowMs); next !== undefined; next = hand.next(nowMs)) {
      if (next.to === undefined) expired.push(next.delivery.entry.id);
      else next.to.hand(next.delivery);
    }
    return expired;
  };
  const settle = (delivery: StreamDelivery) => {
    delivery.phase = 'over';
    if (hand.settled(delivery)) delivery.holder?.ended();
  };
  return { hand, subscriptions: all, handed, add, pump, settle };
}

describe('Hand', () => {
  it('hands over in the order it was given, as far as there are places', () => {
    const { hand, handed, add, pump, settle } = setUp(2);
    const [first] = ['1-0', '2-0', '3-0'].map((id) => add(id).delivery);
    pump();
    expect(handed).toEqual([['1-0', '2-0']]);
    expect([hand.room, hand.waitingCount, hand.handedOut, hand.count]).toEqual([0, 1, 2, 3]);
    settle(first);
    pump();
    expect(handed).toEqual([['1-0', '2-0', '3-0']]);
    expect([hand.waitingCount, hand.handedOut, hand.count]).toEqual([0, 2, 2]);
  });

  it('takes subscriptions in turn, and passes over those without a place', () => {
    const { handed, subscriptions, add, pump } = setUp(2, 2);
    for (const id of ['1-0', '2-0', '3-0']) add(id);
    pump();
    expect(handed).toEqual([['1-0', '3-0'], ['2-0']]);
    subscriptions[1].pause();
    add('4-0');
    pump();
    expect(handed).toEqual([['1-0', '3-0'], ['2-0']]);
    subscriptions[1].resume();
    pump();
    expect(handed).toEqual([
      ['1-0', '3-0'],
      ['2-0', '4-0'],
    ]);
  });

  it('has room for as many as there are free places, less what waits', () => {
    const { hand, subscriptions, add } = setUp(4);
    expect(hand.room).toBe(4);
    add('1-0');
    expect(hand.room).toBe(3);
    subscriptions[0].pause();
    expect(hand.room).toBe(0);
  });

  it('gives out what is past its time to nobody', () => {
    const { handed, add, pump } = setUp(2);
    add('1-0', 'ordinary', { x: 100 });
    add('2-0');
    expect(pump(100)).toEqual(['1-0']);
    expect(handed).toEqual([['2-0']]);
  });

  it('tries suspects one at a time, with nothing ordinary beside or before them', () => {
    const { hand, handed, add, pump, settle } = setUp(4);
    add('1-0');
    add('2-0', 'suspect', { c: 1 });
    add('3-0', 'suspect', { c: 1 });
    pump();
    expect([handed, hand.room]).toEqual([[[]], 0]);
    for (const expected of ['2-0', '3-0']) {
      const trial = hand.beginTrial();
      expect(trial?.delivery.entry.id).toBe(expected);
      trial?.to?.hand(trial.delivery);
      pump();
      settle(trial!.delivery);
      hand.endTrial();
    }
    expect(hand.beginTrial()).toBeUndefined();
    pump();
    expect(handed).toEqual([['2-0', '3-0', '1-0']]);
  });

  it('does not hold anything back for a suspect that nobody has a place for', () => {
    const { hand, subscriptions, add } = setUp(1);
    add('1-0', 'suspect', { c: 1 });
    subscriptions[0].pause();
    expect([hand.suspect, hand.beginTrial(), hand.room]).toEqual([undefined, undefined, 0]);
    subscriptions[0].resume();
    expect(hand.suspect?.entry.id).toBe('1-0');
  });

  it('takes back what was not handed over, and still counts it until it is settled', () => {
    const { hand, handed, add, pump, settle } = setUp(1);
    for (const id of ['1-0', '2-0']) add(id);
    pump();
    add('3-0', 'suspect', { c: 1 });
    const back = hand.takeBack();
    expect(back.map(({ entry }) => entry.id).sort()).toEqual(['2-0', '3-0']);
    expect(hand.count).toBe(3);
    for (const delivery of back) settle(delivery);
    pump();
    expect([hand.count, hand.handedOut, handed]).toEqual([1, 1, [['1-0']]]);
  });

  it('knows what it holds when the group is made again, and takes it again once it is settled', () => {
    const { hand, add, settle } = setUp(4);
    const { delivery } = add('1-0');
    hand.expectRepeats();
    expect(add('1-0').added).toBe(false);
    settle(delivery);
    expect(add('1-0').added).toBe(true);
    expect(hand.settled(delivery)).toBe(false);
    expect(hand.count).toBe(1);
  });

  it('names what has begun: entries, and the open parts of bundles', async () => {
    const { hand, add, pump } = setUp(4);
    const [whole, bundle] = ['1-0', '2-0'].map((id) => add(id).delivery);
    pump();
    expect(hand.begun()).toEqual([]);
    whole.begin();
    for (const index of [0, 2]) bundle.begin({ index, frame: Buffer.alloc(0) });
    expect(hand.begun()).toEqual(['S1-0', 'S2-0#0', 'S2-0#2']);
    await bundle.ack({ index: 0, frame: Buffer.alloc(0) });
    await whole.ack();
    expect(hand.begun()).toEqual(['S2-0#2']);
  });

  it('holds something that has not begun until all has, and while a bundle is handled in parts', () => {
    const { hand, add } = setUp(4);
    const [whole, bundle] = ['1-0', '2-0'].map((id) => add(id).delivery);
    whole.begin();
    expect(hand.hasUnbegun).toBe(true);
    bundle.begin({ index: 0, frame: Buffer.alloc(0) });
    expect(hand.hasUnbegun).toBe(true);
    hand.settled(bundle);
    expect(hand.hasUnbegun).toBe(false);
  });
});
