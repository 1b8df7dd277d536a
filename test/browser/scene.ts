import { type DiscoBusService, UnrecoverableError } from 'nestjs-disco-bus';
import { pause, until } from '../support/waiting.js';

/** What would run as a script if any of it were taken for markup. */
export const hostile = '<script>alert(1)</script><img src=x onerror=alert(2)>';

/**
 * A shop: `orders`, of which the paused group `billing` has two dead letters, two messages that wait and a delayed one;
 * `mails`, which its group has handled; `stock`, which nobody reads; and a lock. All texts are hostile.
 */
export async function fill(bus: DiscoBusService): Promise<void> {
  let failures = 0;
  const fails = () => {
    if (failures++ < 2) throw new Error(`db down ${hostile}`);
  };
  await bus.subscribe('orders', fails, { group: 'billing', retry: { attempts: 1 } });
  const headers = { note: hostile };
  await bus.publish('orders', { card: `4111 ${hostile}` }, { headers });
  await bus.publish('orders', { card: '4222' }, { headers });
  await until('both are given up', async () => {
    const group = await bus.inspect.group('orders', 'billing');
    return group?.deadLetters.messages === 2;
  });
  await bus.admin.pauseGroup('orders', 'billing');
  await bus.publish('orders', { card: `4333 ${hostile}` }, { headers });
  await bus.publish('orders', { card: '4444', lines: [{ sku: 'A-1', pieces: 2 }] });
  await bus.publish('orders', { card: '4555' }, { delay: '1h' });
  await bus.subscribe('mails', () => undefined, { group: 'post' });
  await bus.publish('mails', 'hello');
  await bus.publish('stock', { sku: 'A-1' });
  await bus.locks.acquire(`oven ${hostile}`, { ttl: '10m' });
}

/** A number from 0 to 1, the same in each run. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

/** A shop as one sees it on a working day, for pictures. Resolves with what sends it more, once for each call. */
export async function workingDay(bus: DiscoBusService): Promise<() => Promise<void>> {
  const chance = dice(7);
  const slow = (ms: number) => () => pause(ms);
  const attempts = { retry: { attempts: 2, backoff: { type: 'fixed' as const, delay: '40s' as const } } };
  const declined = async (order: unknown) => {
    const { number } = order as { number: number };
    await pause(20);
    if (number % 23 === 0) throw new UnrecoverableError('card 4000 0000 0000 0002 was declined');
    if (number % 17 === 0) throw new Error('the payment provider did not answer within 5 s');
  };
  await bus.subscribe('orders.placed', declined, { group: 'billing', concurrency: 4, ...attempts });
  await bus.subscribe('orders.placed', slow(5), { group: 'analytics', concurrency: 2 });
  await bus.subscribe('orders.placed', slow(900), { group: 'warehouse', concurrency: 3, prefetch: 0 });
  await bus.subscribe('mails.requested', slow(30), { group: 'mailer', concurrency: 5 });
  await bus.subscribe('stock.changed', slow(10), { group: 'search-index', concurrency: 2 });
  const leaving = await bus.subscribe('invoices.issued', slow(10), { group: 'archive' });
  await bus.subscribe('shipments.sent', slow(10), { group: 'tracking' });
  await leaving.close();
  await bus.admin.pauseGroup('stock.changed', 'search-index');
  for (const key of ['stock:A-1042', 'invoice-run', 'cron:nightly-report'])
    await bus.locks.acquire(key, { ttl: '10m' });
  let number = 0;
  return async () => {
    const count = 2 + Math.floor(chance() * 6);
    for (let index = 0; index < count; index++) {
      number++;
      const order = { number, customer: `C-${(1_000 + chance() * 9_000).toFixed(0)}`, cents: 1_990 + number };
      await bus.publish('orders.placed', order, { headers: { tenant: 'north', version: '3' } });
      if (chance() < 0.4) await bus.publish('mails.requested', { template: 'thanks', order: number });
      if (chance() < 0.2) await bus.publish('stock.changed', { sku: `A-${1_000 + number}`, pieces: -1 });
      if (chance() < 0.15) await bus.publish('invoices.issued', { order: number });
    }
    if (chance() < 0.3)
      await bus.publish('mails.requested', { template: 'review', order: number }, { delay: '3h' });
  };
}
