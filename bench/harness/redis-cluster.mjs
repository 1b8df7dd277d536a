import { startRedis } from './redis.mjs';

const SLOTS = 16_384;
const FORMED_WITHIN_MS = 20_000;

/** A Redis Cluster of `primaries` servers without replicas, on free ports: for measuring, not for keeping anything. */
export async function startRedisCluster(primaries = 3) {
  const nodes = [];
  try {
    while (nodes.length < primaries) nodes.push(await startRedis(['--cluster-enabled', 'yes']));
    await join(nodes);
  } catch (error) {
    await stopAll(nodes);
    throw error;
  }
  return {
    nodes,
    /** What a client needs to find the cluster. */
    addresses: nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
    /** The number of the node that owns a key. */
    ownerOf: async (key) => {
      const answer = await nodes[0].ask(`CLUSTER KEYSLOT ${key}`);
      return Math.floor(Number(answer.slice(1)) / Math.ceil(SLOTS / nodes.length));
    },
    stop: () => stopAll(nodes),
  };
}

async function join(nodes) {
  const share = Math.ceil(SLOTS / nodes.length);
  for (const [index, node] of nodes.entries()) {
    const last = Math.min((index + 1) * share, SLOTS) - 1;
    await told(node, `CLUSTER ADDSLOTSRANGE ${index * share} ${last}`);
    await told(node, `CLUSTER SET-CONFIG-EPOCH ${index + 1}`);
  }
  for (const node of nodes.slice(1)) await told(node, `CLUSTER MEET 127.0.0.1 ${nodes[0].port}`);
  const deadline = Date.now() + FORMED_WITHIN_MS;
  for (const node of nodes) {
    while (!(await sees(node, nodes.length))) {
      if (Date.now() > deadline) throw new Error('the cluster did not form in time');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function told(node, command) {
  const answer = await node.ask(command);
  if (!answer.startsWith('+OK')) throw new Error(`${command}: ${answer.trim()}`);
}

/** Whether the node knows of so many and of an owner for every slot. */
async function sees(node, count) {
  const info = await node.ask('CLUSTER INFO', (text) => text.includes('cluster_stats_messages_received'));
  return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${count}\r\n`);
}

async function stopAll(nodes) {
  await Promise.all(nodes.map((node) => node.stop()));
}
