import type { DiscoDriver } from '../../driver/driver.js';
import { offersGroupCensus } from '../../driver/group-census.js';
import type { Clock } from '../../timing/clock.js';

/** A topic that was answered this recently has somebody behind it. */
const ANSWERED_RECENTLY_MS = 100;
/** Topics remembered at a time; beyond that the memory begins again. */
const REMEMBERED = 1000;

/** Whether anybody is behind a topic that one group answers. */
export class GroupPresence {
  private readonly answered = new Map<string, number>();

  constructor(
    private readonly driver: DiscoDriver,
    private readonly clock: Clock,
  ) {}

  /** Whether it is known that no member of the group lives. Asked only of topics that nobody answered a moment ago. */
  async isKnownEmpty(topic: string, group: string | undefined): Promise<boolean> {
    if (group === undefined || !offersGroupCensus(this.driver)) return false;
    const answeredMs = this.answered.get(topic);
    if (answeredMs !== undefined && this.clock.monotonic() - answeredMs < ANSWERED_RECENTLY_MS) return false;
    const members = await this.driver.countMembers(topic, group).catch(() => undefined);
    return members === 0;
  }

  /** Somebody has answered. */
  remember(topic: string): void {
    if (this.answered.size >= REMEMBERED && !this.answered.has(topic)) this.answered.clear();
    this.answered.set(topic, this.clock.monotonic());
  }
}
