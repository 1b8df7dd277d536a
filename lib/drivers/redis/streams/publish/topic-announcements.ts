import type { TopicDirectory } from '../patterns/topic-directory.js';

/** A topic in use is announced again after so long, should the directory have been lost. */
const AGAIN_MS = 30_000;

/** Which topics a publisher has announced lately. */
export class TopicAnnouncements {
  private readonly announced = new Set<string>();
  private sinceMs = performance.now();

  constructor(private readonly directory: TopicDirectory) {}

  /** The topics among these that are to be announced before anything is stored for them. */
  due(messages: readonly { readonly topic: string }[]): string[] {
    if (performance.now() - this.sinceMs > AGAIN_MS) this.forgetAll();
    const due = new Set<string>();
    let last: string | undefined;
    for (const { topic } of messages) {
      if (topic !== last && !this.announced.has(topic)) due.add(topic);
      last = topic;
    }
    return [...due];
  }

  /** Rejects when Redis refuses, or cannot be reached while `wanted`. */
  async announce(topics: readonly string[], wanted: () => boolean): Promise<void> {
    await this.directory.announce(topics, wanted);
    for (const topic of topics) this.announced.add(topic);
  }

  private forgetAll(): void {
    this.announced.clear();
    this.sinceMs = performance.now();
  }
}
