import type { GroupMember } from './group-member.js';

/** The members of one group, and which of them is handed the next entry. */
export class GroupMembers {
  readonly live: GroupMember[] = [];
  /** Those that have left with something in flight. */
  private leavers: GroupMember[] = [];
  private nextMember = 0;
  /** The member that an exclusive group is read by. */
  private reader: GroupMember | undefined;

  remove(member: GroupMember): void {
    const at = this.live.indexOf(member);
    if (at >= 0) this.live.splice(at, 1);
    this.leavers = this.leavers.filter(({ unsettled }) => unsettled > 0);
    if (member.unsettled > 0) this.leavers.push(member);
  }

  /** All that hold something of the group, or may be handed something. */
  get readers(): readonly GroupMember[] {
    return [...this.live, ...this.leavers.filter(({ unsettled }) => unsettled > 0)];
  }

  /** A member with a free place that may be handed the next entry. */
  next(): GroupMember | undefined {
    return this.live.some(({ exclusive }) => exclusive) ? this.soleReader() : this.nextFree();
  }

  /** A reader that has left is followed only when nothing of it is in flight any more. */
  private soleReader(): GroupMember | undefined {
    const { reader } = this;
    const stays = reader !== undefined && (this.live.includes(reader) || reader.unsettled > 0);
    this.reader = stays ? reader : this.live[0];
    return this.reader.ready ? this.reader : undefined;
  }

  /** The members take turns. */
  private nextFree(): GroupMember | undefined {
    const { live: members } = this;
    for (let tried = 0; tried < members.length; tried++) {
      if (this.nextMember >= members.length) this.nextMember = 0;
      const member = members[this.nextMember++];
      if (member.ready) return member;
    }
    return undefined;
  }
}
