/** Where the task says whether it takes sessions. */
export const HEALTH_PORT = 8080;
