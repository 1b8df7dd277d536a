// The least that one process can do: emit a copy, by way of JSON, so that the handler's value is its own.
import { EventEmitter } from 'node:events';
import { Alone } from '../harness/alone.mjs';

export function alone() {
  const worker = new Alone();
  const emitter = new EventEmitter();
  emitter.on('bench', worker.take);
  worker.publish = async (payload) => {
    emitter.emit('bench', JSON.parse(JSON.stringify(payload)));
  };
  return worker;
}
