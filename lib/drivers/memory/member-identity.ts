import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { VERSION } from '../../driver/package-version.js';

/** The process that a subscription is of. */
export interface MemberIdentity {
  readonly id: string;
  readonly service: string | undefined;
  readonly host: string;
  readonly pid: number;
  /** Of this package. */
  readonly version: string;
}

/** A driver of this process, for its service. */
export function memberIdentity(service: string | undefined): MemberIdentity {
  const host = hostname();
  const id = `${service ?? 'disco'}@${host}:${randomBytes(8).toString('hex')}`;
  return { id, service, host, pid: process.pid, version: VERSION };
}
