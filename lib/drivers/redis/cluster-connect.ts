import type { Cluster } from 'ioredis';
import { NotConnectedError } from '../../errors/bus.errors.js';

/**
 * Connects a Cluster client that has not been. Resolves when it is ready; rejects where no node answers, and where the client
 * is discarded meanwhile. While the nodes say that their cluster has failed, as during a failover, the client goes on
 * trying, and its own `connect` never settles, also when a later attempt succeeds.
 */
export function connectCluster(cluster: Cluster): Promise<void> {
  return new Promise((resolve, reject) => {
    const up = () => {
      cluster.off('end', gone);
      resolve();
    };
    const refused = (error: unknown) => {
      cluster.off('ready', up).off('end', gone);
      reject(error);
    };
    const gone = () => refused(new NotConnectedError('The connection to the Redis Cluster has ended'));
    cluster.once('ready', up).once('end', gone);
    cluster.connect().catch(refused);
  });
}
