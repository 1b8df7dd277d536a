import type { DiscoDriver } from './driver.js';

/** A driver whose groups can be removed. */
export interface GroupRemoval {
  /**
   * Removes a group of a topic with all that is kept for it: what it has not handled, its retries and its dead letters. The last
   * group takes with it what the topic holds of messages that it has handled. Resolves with whether there was one; rejects with
   * ConfigurationError while a member of it is alive.
   */
  removeGroup(topic: string, group: string): Promise<boolean>;
}

/** Whether the driver's groups can be removed. */
export function offersGroupRemoval(driver: DiscoDriver): driver is DiscoDriver & GroupRemoval {
  return typeof (driver as Partial<GroupRemoval>).removeGroup === 'function';
}
