import { promoteScript } from '../scripts/publish-scripts.js';
import type { StreamConnection } from '../stream-connection.js';
import type { StreamKeys } from '../stream-keys.js';
import { StreamScript } from '../stream-script.js';

const script = new StreamScript(promoteScript);

/** When the server could not be asked. */
const AGAIN_MS = 500;
/** Node's timers take no more. */
const LONGEST_MS = 2 ** 31 - 1;

interface Wait {
  readonly dueMs: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * Has delayed publishes of this process moved into their streams when they come due. Should it not live until then, the
 * members of the topic's groups do it, within seconds.
 */
export class DelayedPublishes {
  private readonly waits = new Map<string, Wait>();
  private closed = false;

  constructor(
    private readonly connection: StreamConnection,
    private readonly keys: StreamKeys,
    /** How long a stream that no group reads is kept. Milliseconds. */
    private readonly unreadMs: number,
  ) {}

  /** Something of the topic comes due in so long. */
  add(topic: string, delayMs: number): void {
    const dueMs = performance.now() + delayMs;
    const present = this.waits.get(topic);
    if (this.closed || (present !== undefined && present.dueMs <= dueMs)) return;
    clearTimeout(present?.timer);
    const timer = setTimeout(() => void this.promote(topic), Math.min(LONGEST_MS, Math.ceil(delayMs)));
    timer.unref();
    this.waits.set(topic, { dueMs, timer });
  }

  close(): void {
    this.closed = true;
    for (const { timer } of this.waits.values()) clearTimeout(timer);
    this.waits.clear();
  }

  private async promote(topic: string): Promise<void> {
    this.waits.delete(topic);
    const { later, laterBodies, stream } = this.keys.topic(topic);
    try {
      const reply = await this.connection.run((client) =>
        script.run(client, [later, laterBodies, stream], [this.unreadMs]),
      );
      const [now, due] = reply as [string, string];
      if (due !== '') this.add(topic, Math.max(1, Number(due) - Number(now)));
    } catch {
      this.add(topic, AGAIN_MS);
    }
  }
}
