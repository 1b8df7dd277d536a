import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { VERSION } from './package-version.js';

/** Who a process is, for others that look. */
export interface ProcessIdentity<Service = string> {
  /** The name of the bus's service. */
  readonly service: Service;
  readonly host: string;
  readonly pid: number;
  /** Of this package. */
  readonly version: string;
}

/** This process, for one of its services. */
export function processIdentity<Service>(service: Service): ProcessIdentity<Service> {
  return { service, host: hostname(), pid: process.pid, version: VERSION };
}

/** A name of a driver among the members of its groups, `<service>@<host>:<random>`: another one each time. */
export function newMemberName(service = 'disco'): string {
  return `${service}@${hostname()}:${randomBytes(8).toString('hex')}`;
}
