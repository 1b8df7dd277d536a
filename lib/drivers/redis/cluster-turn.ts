import { type Cluster, Command, type Redis } from 'ioredis';
import { NotConnectedError } from '../../errors/bus.errors.js';

/** What a Cluster client says both of a connection that went and of one that it is just making. */
const CLOSED = 'Connection is closed.';

/** What is sent with {@link inTurn}. */
export interface ClusterTurn<Reply> {
  send(): Promise<Reply>;
  /** Where it goes: to the node of this key. @default any node; it must then do no harm to send it twice */
  readonly key?: string;
  readonly timeoutMs: number;
}

/**
 * Sends a command through a client that queues nothing. Such a client connects to a node with the first command for it,
 * and until that is done refuses all further ones without sending them: these are sent once the connection is there.
 * Rejects as `send` does; what could not be sent within `timeoutMs` is not sent any more.
 */
export async function inTurn<Reply>(
  cluster: Cluster,
  { send, key, timeoutMs }: ClusterTurn<Reply>,
): Promise<Reply> {
  const startedMs = performance.now();
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if ((error as Error).message !== CLOSED) throw error;
      const node = nodesFor(cluster, key).find(isConnecting);
      if (node === undefined || !(await comesUp(node))) throw error;
    }
    if (performance.now() - startedMs >= timeoutMs) {
      throw new NotConnectedError(`No connection to the node of the Redis Cluster within ${timeoutMs} ms`);
    }
  }
}

function nodesFor(cluster: Cluster, key: string | undefined): Redis[] {
  if (key === undefined) return cluster.nodes('master');
  const [owner] = cluster.slots[new Command('get', [key]).getSlot()] ?? [];
  return cluster.nodes('all').filter(({ options: { host, port } }) => `${host}:${port}` === owner);
}

function isConnecting({ status }: Redis): boolean {
  return status === 'connecting' || status === 'connect';
}

/** False when it goes instead, which its connect timeout sees to. */
function comesUp(node: Redis): Promise<boolean> {
  return new Promise((resolve) => {
    const up = () => settle(true);
    const gone = () => settle(false);
    const settle = (isUp: boolean) => {
      node.off('ready', up).off('end', gone);
      resolve(isUp);
    };
    node.once('ready', up).once('end', gone);
  });
}
