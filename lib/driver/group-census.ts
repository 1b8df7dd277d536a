import type { DiscoDriver } from './driver.js';

/** A driver that can count who reads a topic at least once. */
export interface GroupCensus {
  /**
   * How many members of `group` are alive on `topic`, those of topic patterns included. A member that died may be counted
   * for as long as the driver takes to find out; one that is live is never missed. Undefined where that cannot be told.
   */
  countMembers(topic: string, group: string): Promise<number | undefined>;
}

/** Whether the driver can count the members of its groups. */
export function offersGroupCensus(driver: DiscoDriver): driver is DiscoDriver & GroupCensus {
  return typeof (driver as Partial<GroupCensus>).countMembers === 'function';
}
