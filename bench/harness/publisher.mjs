import { makePayload } from './payload.mjs';
import { nowUs } from './statistics.mjs';

/** Publishes through a contender. */
export class Publisher {
  async start(make, options) {
    this.publish = await make(options);
  }

  /** `count` messages, `inFlight` at a time, each next one when one is accepted; `timed` ones hold when they were made. */
  async flood({ count, inFlight, sizeBytes, raw, timed }) {
    const payload = makePayload(sizeBytes, raw);
    const cpu = process.cpuUsage();
    const startUs = nowUs();
    let sent = 0;
    const lane = async () => {
      while (sent++ < count) await this.publish(payload(timed ? nowUs() : 0));
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
    return { startUs, cpu: process.cpuUsage(cpu) };
  }

  /** `count` messages in bulks of `bulk`, `inFlight` bulks at a time. */
  async bulks({ count, bulk, inFlight, sizeBytes, raw }) {
    const payload = makePayload(sizeBytes, raw);
    const cpu = process.cpuUsage();
    const startUs = nowUs();
    let sent = 0;
    const lane = async () => {
      while (sent < count) {
        const size = Math.min(bulk, count - sent);
        sent += size;
        await this.publish.bulk(Array.from({ length: size }, () => payload(0)));
      }
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
    return { startUs, cpu: process.cpuUsage(cpu) };
  }

  /** `count` messages at `perSecond`, whatever becomes of them; sent each millisecond as many as are due. */
  async pace({ count, perSecond, sizeBytes, raw }) {
    const payload = makePayload(sizeBytes, raw);
    const cpu = process.cpuUsage();
    const startUs = nowUs();
    const pending = [];
    while (pending.length < count) {
      const due = Math.min(count, Math.floor(((nowUs() - startUs) * perSecond) / 1e6));
      while (pending.length < due) pending.push(this.publish(payload(nowUs())));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(pending);
    return { startUs, cpu: process.cpuUsage(cpu) };
  }
}
