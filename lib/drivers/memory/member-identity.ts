import { newMemberName, type ProcessIdentity, processIdentity } from '../../driver/process-identity.js';

/** The process that a subscription is of. */
export interface MemberIdentity extends ProcessIdentity<string | undefined> {
  readonly id: string;
}

/** A driver of this process, for its service. */
export function memberIdentity(service: string | undefined): MemberIdentity {
  return { id: newMemberName(service), ...processIdentity(service) };
}
