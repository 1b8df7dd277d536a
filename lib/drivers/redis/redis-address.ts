import type { ConnectionOptions } from 'node:tls';

/**
 * What returns the password that is valid now, or a promise of it. It is asked before each connection is made, in a Cluster
 * before each to a node; several connections may ask at once. It must answer within the driver's `connectTimeout`.
 */
export type RedisPasswordSource = () => string | Promise<string>;

/** A standalone Redis by its address. */
export interface RedisAddress {
  /** @default '127.0.0.1' */
  host?: string;
  /** A number or its digits. @default 6379 */
  port?: number | string;
  /** Database number; streams and locks live in it, pub/sub channels are common to all. A number or its digits. @default 0 */
  db?: number | string;
  /** ACL user. @default none */
  username?: string;
  /** Also used for the nodes behind `cluster` and `sentinel`. A function is asked again at each connection. @default none */
  password?: string | RedisPasswordSource;
  /** `true`, or the options of Node's `tls.connect`. @default no TLS, or what the URL says */
  tls?: boolean | ConnectionOptions;
}
