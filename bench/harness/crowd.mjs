import { startWorkers } from './worker.mjs';

let started = 0;

/** Several publishers' processes and one consumer's, on one Redis or on the nodes of a Cluster. */
export class Crowd {
  /** `place` has the servers as `nodes`, and the `options` by which a client finds them. */
  static async start(place, contender, publishers, options) {
    const given = { topic: `crowd-${started++}`, ...place.options, ...options };
    const roles = ['consumer', ...Array(publishers).fill('publisher')];
    const [consumer, ...rest] = await startWorkers(contender, roles, given);
    return new Crowd(place.nodes, rest, consumer);
  }

  constructor(nodes, publishers, consumer) {
    this.nodes = nodes;
    this.publishers = publishers;
    this.consumer = consumer;
  }

  /**
   * About `count` messages, a like part from each publisher, each with `inFlight`. Resolves with messages/s end to end,
   * and CPU µs per message: of all processes and servers as `total`, of the servers one by one as `servers`.
   */
  async flood({ count, inFlight, sizeBytes }) {
    const part = Math.ceil(count / this.publishers.length);
    const whole = part * this.publishers.length;
    await this.consumer.call('arm', { count: whole });
    const before = await this.serverSeconds();
    const flooding = this.publishers.map((each) => each.call('flood', { count: part, inFlight, sizeBytes }));
    const [ended, ...floods] = await Promise.all([this.consumer.call('collect'), ...flooding]);
    const after = await this.serverSeconds();
    const startUs = Math.min(...floods.map((flood) => flood.startUs));
    const servers = after.map((seconds, index) => ((seconds - before[index]) * 1e6) / whole);
    const processes = [ended, ...floods].map(({ cpu }) => (cpu.user + cpu.system) / whole);
    return {
      perSecond: whole / ((ended.endUs - startUs) / 1e6),
      cpu: { servers, total: sum(servers) + sum(processes) },
    };
  }

  async stop() {
    await Promise.all([this.consumer, ...this.publishers].map((worker) => worker.stop()));
  }

  serverSeconds() {
    return Promise.all(this.nodes.map((node) => node.cpuSeconds()));
  }
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
