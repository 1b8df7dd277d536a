// The least that one process can do: emit a copy, so that the handler's value is its own, in a turn of its own.
import { EventEmitter } from 'node:events';
import { Alone } from '../harness/alone.mjs';

export function alone() {
  const worker = new Alone();
  const emitter = new EventEmitter();
  emitter.on('bench', worker.take);
  worker.publish = async (payload) => {
    emitter.emit('bench', structuredClone(payload));
  };
  return worker;
}
