import { callGuest } from './guest.js';

type AddArguments = Parameters<AbortSignal['addEventListener']>;
type RemoveArguments = Parameters<AbortSignal['removeEventListener']>;
type Listener = AddArguments[1];

/** By the listener that it calls. */
const wrappers = new WeakMap<object, (this: AbortSignal, event: Event) => void>();

const { addEventListener, removeEventListener } = EventTarget.prototype;
const onAbort = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'onabort');

/** What a signal whose listeners are guests inherits: one prototype for all costs a fifth of properties on each. */
const guarded: object = Object.create(AbortSignal.prototype, {
  addEventListener: {
    value(type: string, listener: Listener, options: AddArguments[2]) {
      addEventListener.call(this, type, wrapperOf(listener), options);
    },
  },
  removeEventListener: {
    value(type: string, listener: Listener, options: RemoveArguments[2]) {
      removeEventListener.call(this, type, wrapperOf(listener), options);
    },
  },
  onabort: {
    get() {
      return onAbort?.get?.call(this);
    },
    set(listener: Listener) {
      onAbort?.set?.call(this, wrapperOf(listener));
    },
  },
} satisfies PropertyDescriptorMap & ThisType<AbortSignal>);

/**
 * `signal` itself, whose listeners are guests from now on: Node ends the process for a listener that throws, and here it is
 * told as {@link callGuest} tells it.
 */
export function guestSignal(signal: AbortSignal): AbortSignal {
  return Object.setPrototypeOf(signal, guarded);
}

/** The same for the same listener, so that it is added once and can be removed. What is no listener is left to Node. */
function wrapperOf(listener: Listener): Listener {
  if (Object(listener) !== listener) return listener;
  let wrapper = wrappers.get(listener);
  if (wrapper === undefined) {
    wrapper = function (this: unknown, event: Event) {
      callGuest(listener, 'A listener of a signal', () =>
        typeof listener === 'function'
          ? listener.call(this as AbortSignal, event)
          : listener.handleEvent(event),
      );
    };
    wrappers.set(listener, wrapper);
  }
  return wrapper;
}
