import { AgreeingDriver } from '../../../lib/bus/connection/agreeing-driver.js';
import type { DriverPublishOptions, DriverReceipt } from '../../../lib/driver/driver.js';
import type { TopicDissent } from '../../../lib/driver/topic-agreements.js';
import { MemoryDriver } from '../../../lib/drivers/memory/index.js';
import { systemClock } from '../../../lib/timing/clock.js';
import { gate } from './support.js';

/** Answers how a topic is used when it is let, and keeps the order of what is published. */
class SlowToAnswer extends MemoryDriver {
  readonly answer = gate();
  readonly published: string[] = [];

  override async agreeOn(): Promise<TopicDissent | undefined> {
    await this.answer.promise;
    return undefined;
  }

  override publish(_: string, frame: Uint8Array, __: DriverPublishOptions): Promise<DriverReceipt> {
    this.published.push(Buffer.from(frame).toString());
    return Promise.resolve({});
  }
}

describe('publishes that wait for how a topic is used', () => {
  it('go before those that are made while the answer is on its way to them', async () => {
    const inner = new SlowToAnswer();
    const driver = new AgreeingDriver(inner, 'shop', systemClock);
    const publish = (text: string) =>
      driver.publish('orders', Buffer.from(text), { delivery: 'at-most-once', id: text, timeoutMs: 5_000 });
    const all = ['first', 'second'].map(publish);
    inner.answer.open();
    for (let turn = 0; turn < 12; turn++) {
      all.push(publish(`turn ${turn}`));
      await Promise.resolve();
    }
    await Promise.all(all);
    expect(inner.published).toEqual([
      'first',
      'second',
      ...Array.from({ length: 12 }, (_, turn) => `turn ${turn}`),
    ]);
    await driver.close();
  });
});
