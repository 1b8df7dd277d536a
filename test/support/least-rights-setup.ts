import { Redis } from 'ioredis';
import { leastUser } from './acl-rules.js';

// Under `npm run test:acl` every connection that the package itself makes, told by its name (in a Cluster also
// `ioredis-cluster(refresher):disco:…`), is of the user with the least rights, but for those whose spec names a user. What
// a spec does beside the package has all rights.
const { connect } = Redis.prototype;
Redis.prototype.connect = function (this: Redis, ...given) {
  const { options } = this;
  const isOurs = /(?:^|:)disco:/.test(options.connectionName ?? '');
  if (isOurs && !options.username && !options.password) Object.assign(options, leastUser);
  return connect.apply(this, given);
};
