import { type Delivery } from '../../driver/delivery.js';
import { type DriverSubscribeOptions, type DriverSubscription } from '../../driver/driver.js';
import { type Agenda, type Appointment } from './agenda.js';
import { type FanOut, FanOutSubscription } from './fan-out.js';
import { GroupMember } from './group-member.js';
import type { MemberIdentity } from './member-identity.js';
import { type TopicLogs } from './topic-logs.js';

/** A subscription as its driver sees it. */
export interface MemorySubscription extends DriverSubscription {
  /** Ends it with its driver: what is unsettled goes back at once. */
  end(): void;
}

/** What was asked for, and whom to tell. */
export interface SubscriptionSettings extends DriverSubscribeOptions {
  /** The driver that subscribes. */
  readonly identity: MemberIdentity;
  readonly topicOrPattern: string;
  readonly onDelivery: (delivery: Delivery) => void;
  /** `onDelivery` has thrown. */
  readonly onFault: (thrown: unknown) => void;
  /** Nothing is left to be ended with the driver. */
  readonly onEnd: () => void;
}

/** At most once: every subscription gets all. */
export function fanOutSubscription(fanOut: FanOut, settings: SubscriptionSettings): MemorySubscription {
  const { topicOrPattern, onDelivery, onFault, onMissed } = settings;
  const listener = new FanOutSubscription(topicOrPattern, onDelivery, onFault, onMissed);
  fanOut.add(listener);
  const end = () => {
    if (!listener.open) return;
    fanOut.remove(listener);
    settings.onEnd();
  };
  return {
    pause: () => listener.pause(),
    resume: () => listener.resume(),
    close: async () => {
      if (listener.open) await fanOut.leave(listener);
      settings.onEnd();
    },
    end,
  };
}

/** At least once: a member of a group. */
export function groupSubscription(
  logs: TopicLogs,
  agenda: Agenda,
  visibilityMs: number,
  settings: SubscriptionSettings,
): MemorySubscription {
  let open = true;
  let takeOver: Appointment | undefined;
  const ended = () => {
    takeOver?.cancel();
    settings.onEnd();
  };
  const { exclusive = false, tellsBegin = false } = settings;
  const member = new GroupMember({ ...settings, exclusive, tellsBegin, onDrained: ended });
  const leave = logs.join(settings.topicOrPattern, settings.group, settings.startFrom, member);
  const giveBack = () => {
    member.giveBack();
    ended();
  };
  const close = () => {
    if (!open) return;
    open = false;
    leave();
    if (member.unsettled > 0) takeOver = agenda.in(visibilityMs, giveBack);
    else settings.onEnd();
  };
  return {
    pause: () => member.pause(),
    resume: () => member.resume(),
    close: async () => close(),
    end: () => {
      close();
      giveBack();
    },
  };
}
