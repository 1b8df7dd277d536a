export { DiscoBusHealthIndicator } from './disco-bus.health-indicator.js';
