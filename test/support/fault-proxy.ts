import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Which way bytes go: from the client to the server, or back. */
export type Direction = 'to-server' | 'to-client';

/** What a proxy has done so far; a fault test asserts on it that its faults happened. */
export interface FaultCounts {
  connections: number;
  refused: number;
  cuts: number;
  droppedReplies: number;
  /** Chunks that came to the client otherwise than the server sent them. */
  rewritten: number;
  blackHoles: number;
  bytesToServer: number;
  bytesToClient: number;
}

interface Pipe {
  readonly from: Socket;
  readonly to: Socket;
  readonly direction: Direction;
  /** What is delayed, in order. */
  readonly queue: { readonly dueMs: number; readonly act: () => void }[];
}

/** A TCP proxy that can harm what passes through it. */
export class FaultProxy {
  readonly counts: FaultCounts = {
    connections: 0,
    refused: 0,
    cuts: 0,
    droppedReplies: 0,
    rewritten: 0,
    blackHoles: 0,
    bytesToServer: 0,
    bytesToClient: 0,
  };

  /** When each connection came, by `performance.now()`. */
  readonly cameMs: number[] = [];

  private readonly pipes = new Set<Pipe>();
  private readonly held = new Set<Direction>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private refusing = false;
  private dropping = false;
  private delayMs = 0;
  private jitterMs = 0;
  private sliceBytes = 0;
  private rewriting: ((reply: string) => string) | undefined;
  private bytesLeft = Number.POSITIVE_INFINITY;

  private constructor(
    private readonly server: Server,
    private targetPort: number,
  ) {
    server.on('connection', (client: Socket) => this.accept(client));
  }

  /** A proxy on a free port of the loopback address, in front of `targetPort`. */
  static async start(targetPort: number): Promise<FaultProxy> {
    const server = createServer({ pauseOnConnect: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FaultProxy(server, targetPort);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.pipes.size / 2;
  }

  /** Resets (RST) every connection; returns how many there were. */
  cut(): number {
    const cut = this.open;
    for (const { from } of this.pipes) from.resetAndDestroy();
    this.counts.cuts += cut;
    return cut;
  }

  /** Nothing passes in the given directions, and nobody is told; what was sent meanwhile arrives after `pass`. */
  blackHole(...directions: Direction[]): void {
    for (const direction of directions.length > 0 ? directions : (['to-server', 'to-client'] as const)) {
      this.held.add(direction);
    }
    this.counts.blackHoles++;
    for (const pipe of this.pipes) if (this.held.has(pipe.direction)) pipe.from.pause();
  }

  /** New connections are reset at once. */
  refuse(): void {
    this.refusing = true;
  }

  /** What the server answers is thrown away, and counted. Cut the link before passing again. */
  dropReplies(): void {
    this.dropping = true;
  }

  /** What the server answers comes as `rewrite` makes it, chunk by chunk: of the same length, and in Latin-1. */
  rewriteReplies(rewrite: (reply: string) => string): void {
    this.rewriting = rewrite;
  }

  /** Every chunk comes `delayMs` later, more or less by up to `jitterMs`, in order. */
  delay(delayMs: number, jitterMs = 0): void {
    this.delayMs = delayMs;
    this.jitterMs = jitterMs;
  }

  /** New connections go to another server, as where an address moves to the one that took over. */
  retarget(port: number): void {
    this.targetPort = port;
  }

  /** Chunks are cut into pieces of this size. */
  slice(bytes: number): void {
    this.sliceBytes = bytes;
  }

  /** Cuts every link once so many more bytes have come from the server. */
  cutAfter(bytes: number): void {
    this.bytesLeft = bytes;
  }

  /** Ends every fault. */
  pass(): void {
    this.refusing = false;
    this.dropping = false;
    this.delayMs = 0;
    this.jitterMs = 0;
    this.sliceBytes = 0;
    this.rewriting = undefined;
    this.bytesLeft = Number.POSITIVE_INFINITY;
    this.held.clear();
    for (const { from } of this.pipes) from.resume();
  }

  /** Ends the proxy and every connection through it. */
  async stop(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const { from } of this.pipes) from.destroy();
    await closed;
  }

  private accept(client: Socket): void {
    if (this.refusing) {
      this.counts.refused++;
      client.resetAndDestroy();
      return;
    }
    this.counts.connections++;
    this.cameMs.push(performance.now());
    const server = connect(this.targetPort, '127.0.0.1');
    client.setNoDelay(true);
    server.setNoDelay(true);
    this.pipe({ from: client, to: server, direction: 'to-server', queue: [] });
    this.pipe({ from: server, to: client, direction: 'to-client', queue: [] });
  }

  private pipe(pipe: Pipe): void {
    const { from, to, direction } = pipe;
    this.pipes.add(pipe);
    from.on('data', (chunk: Buffer) => this.passOn(pipe, chunk));
    from.on('end', () => this.later(pipe, () => to.end()));
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => {
      this.pipes.delete(pipe);
      to.destroy();
    });
    if (this.held.has(direction)) from.pause();
    else from.resume();
  }

  private passOn(pipe: Pipe, chunk: Buffer): void {
    const toClient = pipe.direction === 'to-client';
    if (toClient) this.counts.bytesToClient += chunk.length;
    else this.counts.bytesToServer += chunk.length;
    if (toClient && this.dropping) {
      this.counts.droppedReplies++;
      return;
    }
    if (toClient && chunk.length >= this.bytesLeft) {
      pipe.to.write(chunk.subarray(0, this.bytesLeft), () => this.cut());
      this.bytesLeft = Number.POSITIVE_INFINITY;
      return;
    }
    if (toClient) this.bytesLeft -= chunk.length;
    for (const piece of this.pieces(toClient ? this.rewritten(chunk) : chunk))
      this.later(pipe, () => pipe.to.write(piece));
  }

  private rewritten(chunk: Buffer): Buffer {
    if (this.rewriting === undefined) return chunk;
    const before = chunk.toString('latin1');
    const after = this.rewriting(before);
    if (after !== before) this.counts.rewritten++;
    return Buffer.from(after, 'latin1');
  }

  private *pieces(chunk: Buffer): Generator<Buffer> {
    const size = this.sliceBytes || chunk.length;
    for (let at = 0; at < chunk.length; at += size) yield chunk.subarray(at, at + size);
  }

  /** One timer for each pipe, as Node does not promise that timers of different lengths fire in order. */
  private later(pipe: Pipe, act: () => void): void {
    const now = performance.now();
    const wait = this.delayMs + (Math.random() * 2 - 1) * this.jitterMs;
    const dueMs = Math.max(pipe.queue.at(-1)?.dueMs ?? 0, now + wait);
    if (dueMs <= now && pipe.queue.length === 0) {
      act();
      return;
    }
    pipe.queue.push({ dueMs, act });
    if (pipe.queue.length === 1) this.wait(pipe, dueMs - now);
  }

  private wait(pipe: Pipe, delayMs: number): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      if (pipe.to.destroyed) return;
      const now = performance.now();
      while (pipe.queue.length > 0 && pipe.queue[0].dueMs <= now) pipe.queue.shift()?.act();
      if (pipe.queue.length > 0) this.wait(pipe, pipe.queue[0].dueMs - now);
    }, Math.ceil(delayMs));
    this.timers.add(timer);
  }
}
