import { makePayload } from './payload.mjs';
import { nowUs } from './statistics.mjs';

/** A worker that publishes and handles in one process: `publish` accepts a payload, `take` is called for each handled one. */
export class Alone {
  handled = 0;

  constructor() {
    this.take = () => {
      if (++this.handled === this.expected) this.finish();
    };
  }

  /** Publishes and handles `count` messages, `inFlight` at a time. */
  async flood({ count, inFlight, sizeBytes }) {
    const payload = makePayload(sizeBytes);
    const done = new Promise((resolve) => {
      this.finish = resolve;
    });
    this.handled = 0;
    this.expected = count;
    const cpu = process.cpuUsage();
    const startUs = nowUs();
    let sent = 0;
    const lane = async () => {
      while (sent++ < count) await this.publish(payload(0));
    };
    await Promise.all([done, ...Array.from({ length: inFlight }, lane)]);
    const used = process.cpuUsage(cpu);
    return { perSecond: count / ((nowUs() - startUs) / 1e6), cpu: (used.user + used.system) / count };
  }
}
