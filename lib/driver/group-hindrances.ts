import type { DiscoDriver } from './driver.js';

/** What keeps a group from reading, beside what its inspection says. */
export interface GroupHindrances {
  /** The one member that may read where keys are kept in order, and until when it may without being heard. */
  readonly soleReader?: { readonly member: string; readonly readsUntil: number };
  /** Messages that came back and may have crashed a process: each is tried alone. Of the first hundred that came back. */
  readonly suspects: readonly SuspectMessage[];
}

/** A message that may have crashed a process. */
export interface SuspectMessage {
  readonly position: string;
  /** Processes that died while its handler ran. */
  readonly crashes: number;
  /** Who has read it; undefined while it waits. */
  readonly member?: string;
}

/** How full a server is. */
export interface ServerMemory {
  readonly host: string;
  readonly port: number;
  /** Bytes; undefined where the server does not tell. */
  readonly usedMemory?: number;
  /** Bytes; 0 is no bound. */
  readonly maxMemory?: number;
}

/** A driver that can look closer at a group than an inspection does. */
export interface HindranceProvider {
  /** What hinders the group. Changes nothing. */
  hindrances(topic: string, group: string): Promise<GroupHindrances>;
  /** The servers that keep the topics. */
  serverMemory(): Promise<readonly ServerMemory[]>;
}

/** Whether the driver can look closer at a group. */
export function offersHindrances(driver: DiscoDriver): driver is DiscoDriver & HindranceProvider {
  const { hindrances, serverMemory } = driver as Partial<HindranceProvider>;
  return typeof hindrances === 'function' && typeof serverMemory === 'function';
}
