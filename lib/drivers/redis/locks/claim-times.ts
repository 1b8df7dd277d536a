import type { LockHint } from '../../../driver/lock-store.js';
import { SPARE_FENCING_TOKENS as spareTokens } from './fencing-step.js';
import type { HandOver } from './lock-inbox.js';

/** When a claim was refused: by the server's clock, and by this process's before it asked. */
export interface Asked {
  readonly serverMs: number;
  readonly sinceMs: number;
}

/** When each queued claim was refused, by which the age of what is handed over to it is known. */
export class ClaimTimes {
  private readonly times = new Map<string, Asked>();

  /** Whether the claim is queued. */
  has(token: string): boolean {
    return this.times.has(token);
  }

  set(token: string, asked: Asked): void {
    this.times.set(token, asked);
  }

  delete(token: string): void {
    this.times.delete(token);
  }

  clear(): void {
    this.times.clear();
  }

  /**
   * When the grant was made is known by the server's clock alone. As the claim was refused at a known time of that clock,
   * and asked at a known time of ours before, the difference of the server's two times bounds the age from above.
   */
  hintOf({ token, fencingToken, ttlMs, serverMs, keys }: HandOver): LockHint {
    const asked = this.times.get(token);
    // Refused after that: what was handed over then has been lost since.
    const outdated = asked === undefined || serverMs < asked.serverMs;
    if (outdated || keys > 1) return { token };
    const sinceMs = asked.sinceMs + Math.max(0, serverMs - asked.serverMs - 1);
    return {
      token,
      grant: { fencingToken, spareTokens, ttlMs, ageMs: Math.max(0, performance.now() - sinceMs) },
    };
  }
}
