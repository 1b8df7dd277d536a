/** The messages that go out together, and the promise that all their senders share. */
class Bundle {
  items = [];
  size = 0;
  accepted = new Promise((resolve, reject) => {
    this.settle = { resolve, reject };
  });
}

/**
 * All that the floors know of bundling. What is added goes out at the end of the turn; while an earlier bundle is not
 * answered yet it waits for that instead; a full bundle goes at once. `send(items)` resolves with Redis' answer.
 */
export class Bundles {
  #open;
  #unanswered = 0;

  constructor(send, { most = 256, characters = 64 * 1024 } = {}) {
    this.send = send;
    this.most = most;
    this.characters = characters;
  }

  /** Resolves when the bundle that `item` travels in is accepted. */
  add(item, size = item.length) {
    if (this.#open && this.#open.size + size > this.characters) this.#flush();
    if (!this.#open) {
      this.#open = new Bundle();
      if (this.#unanswered === 0) queueMicrotask(() => this.#flush());
    }
    const bundle = this.#open;
    bundle.size += size;
    if (bundle.items.push(item) === this.most) this.#flush();
    return bundle.accepted;
  }

  #flush() {
    const bundle = this.#open;
    if (!bundle) return;
    this.#open = undefined;
    this.#unanswered++;
    this.send(bundle.items)
      .then(bundle.settle.resolve, bundle.settle.reject)
      .then(() => {
        this.#unanswered--;
        this.#flush();
      });
  }
}
