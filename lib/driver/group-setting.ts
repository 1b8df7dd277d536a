/** How operators have set a group, for all its members. */
export interface GroupSetting {
  /** Nobody reads for the group, and no handler of it starts. */
  readonly paused: boolean;
  /** The most messages that each process handles at a time for the group; undefined leaves that to the processes. */
  readonly limit?: number;
}

/** Whether two settings say the same. */
export function isSameSetting(one: GroupSetting, other: GroupSetting): boolean {
  return one.paused === other.paused && one.limit === other.limit;
}
