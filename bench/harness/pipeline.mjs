import { startWorkers } from './worker.mjs';

let started = 0;

/** A contender's two processes, publisher and consumer, and the Redis between them. Each has a topic of its own: nobody else listens. */
export class Pipeline {
  static async start(redis, contender, options = {}) {
    const given = { url: redis.url, port: redis.port, topic: `bench-${started++}`, ...options };
    const [publisher, consumer] = await startWorkers(contender, ['publisher', 'consumer'], given);
    return new Pipeline(redis, publisher, consumer);
  }

  constructor(redis, publisher, consumer) {
    this.redis = redis;
    this.publisher = publisher;
    this.consumer = consumer;
  }

  /** Publishes `count` messages as fast as they are accepted, in bulks where `bulk` says so. Resolves with messages/s end to end and CPU µs per message; if `timed`, with the latency's percentiles in µs. */
  async flood(options) {
    const { started, ended, redisSeconds } = await this.run(options.bulk ? 'bulks' : 'flood', options);
    const seconds = (ended.endUs - started.startUs) / 1e6;
    const cpu = cpuOf(started, ended, redisSeconds, options.count);
    return { perSecond: options.count / seconds, cpu, p50: ended.p50, p99: ended.p99 };
  }

  /** The same at a fixed rate. Resolves with the latency's percentiles in µs and CPU µs per message. */
  async pace(options) {
    const { started, ended, redisSeconds } = await this.run('pace', { ...options, timed: true });
    const { p50, p99 } = ended;
    return { p50, p99, cpu: cpuOf(started, ended, redisSeconds, options.count) };
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
