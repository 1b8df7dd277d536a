import { pause, until } from '../support/waiting.js';

const PRODUCERS = 8;

/** Publishes numbered messages while faults happen, and keeps what became of each. */
export class StreamsLoad {
  readonly accepted = new Set<number>();
  readonly unknown = new Set<number>();
  /** Rejected in another way, by the code of the error. */
  readonly refused = new Map<string, number>();
  private readonly byTopic: number[];
  private next = 0;
  private running = true;

  /** Message `n` goes to the topic of the index `n % topics`. */
  constructor(
    private readonly topics: number,
    private readonly publish: (n: number, topic: number) => Promise<unknown>,
  ) {
    this.byTopic = Array.from({ length: topics }, () => 0);
  }

  get sent(): number {
    return this.next;
  }

  /** At least `total` messages, and on until `nemesis` has ended. */
  async during(total: number, nemesis: () => Promise<void>): Promise<void> {
    const ended = nemesis().finally(() => {
      this.running = false;
    });
    await Promise.all([ended, ...Array.from({ length: PRODUCERS }, () => this.produce(total))]);
  }

  /** Resolves with the ms that it took until publishes to every topic were accepted again. */
  async flowsAgain(sinceMs: number, withinMs: number): Promise<number> {
    const before = [...this.byTopic];
    const enough = Math.ceil(20 / this.topics);
    const flows = () => this.byTopic.every((accepted, topic) => accepted > before[topic] + enough);
    await until('publishes are accepted again', flows, withinMs);
    return performance.now() - sinceMs;
  }

  private async produce(total: number): Promise<void> {
    while (this.next < total || this.running) {
      const n = this.next++;
      const topic = n % this.topics;
      await this.publish(n, topic).then(
        () => {
          this.accepted.add(n);
          this.byTopic[topic]++;
        },
        (error: { code?: string }) => this.failed(n, error.code ?? String(error)),
      );
      if (n % 4 === 0) await pause(2);
    }
  }

  private failed(n: number, code: string): void {
    if (code === 'DISCO_PUBLISH_OUTCOME_UNKNOWN') this.unknown.add(n);
    else this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
  }
}
