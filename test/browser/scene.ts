import { type DiscoBusService } from 'nestjs-disco-bus';
import { until } from '../support/waiting.js';

/** What would run as a script if any of it were taken for markup. */
export const hostile = '<script>alert(1)</script><img src=x onerror=alert(2)>';

/**
 * A shop: `orders`, of which the paused group `billing` has two dead letters, two messages that wait and a delayed one;
 * `mails`, which its group has handled; `stock`, which nobody reads; and a lock. All texts are hostile.
 */
export async function fill(bus: DiscoBusService): Promise<void> {
  const fails = () => {
    throw new Error(`db down ${hostile}`);
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
