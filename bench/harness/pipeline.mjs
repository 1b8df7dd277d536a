import { percentile } from './statistics.mjs';
import { startWorker } from './worker.mjs';

let started = 0;

/** A contender's two processes, publisher and consumer, and the Redis between them. Each has a topic of its own: nobody else listens. */
export class Pipeline {
  static async start(redis, contender, options = {}) {
    const given = { url: redis.url, port: redis.port, topic: `bench-${started++}`, ...options };
    const consumer = await startWorker(contender, 'consumer', given);
    try {
      return new Pipeline(redis, await startWorker(contender, 'publisher', given), consumer);
    } catch (error) {
      await consumer.stop();
      throw error;
    }
  }

  constructor(redis, publisher, consumer) {
    this.redis = redis;
    this.publisher = publisher;
    this.consumer = consumer;
  }

  /** Publishes `count` messages as fast as they are accepted, in bulks where `bulk` says so. Resolves with messages/s end to end and CPU µs per message. */
  async flood(options) {
    const { started, ended, redisSeconds } = await this.run(options.bulk ? 'bulks' : 'flood', options);
    const seconds = (ended.endUs - started.startUs) / 1e6;
    return { perSecond: options.count / seconds, cpu: cpuOf(started, ended, redisSeconds, options.count) };
  }

  /** The same at a fixed rate. Resolves with the latency's percentiles in µs and CPU µs per message. */
  async pace(options) {
    const { started, ended, redisSeconds } = await this.run('pace', { ...options, timed: true });
    const sorted = ended.latencies.sort((a, b) => a - b);
    return {
      p50: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      cpu: cpuOf(started, ended, redisSeconds, options.count),
    };
  }

  async stop() {
    await Promise.all([this.publisher.stop(), this.consumer.stop()]);
  }

  async run(command, options) {
    await this.consumer.call('arm', options);
    const before = await this.redis.cpuSeconds();
    const [started, ended] = await Promise.all([
      this.publisher.call(command, options),
      this.consumer.call('collect'),
    ]);
    return { started, ended, redisSeconds: (await this.redis.cpuSeconds()) - before };
  }
}

function cpuOf(started, ended, redisSeconds, count) {
  const publisher = (started.cpu.user + started.cpu.system) / count;
  const consumer = (ended.cpu.user + ended.cpu.system) / count;
  const redis = (redisSeconds * 1e6) / count;
  return { publisher, consumer, redis, total: publisher + consumer + redis };
}
