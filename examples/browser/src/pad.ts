/** The paper: strokes of a finger, a mouse or the arrow keys, and the image that the network gets. */

import { SIDE } from '../../digits/dataset.js';

interface Place {
  readonly x: number;
  readonly y: number;
}

/** Share of the paper that an arrow key moves the pen. */
const KEY_STEP = 1 / 24;
/** Width of the pen on the paper, as a share of its side. */
const PEN = 0.07;
/** Pixels of the image that a digit's longer side takes, and the pen's width, as in training. */
const HEIGHT = 18;
const IMAGE_PEN = 2.4;

const ARROWS: Record<string, Place> = {
  ArrowLeft: { x: -KEY_STEP, y: 0 },
  ArrowRight: { x: KEY_STEP, y: 0 },
  ArrowUp: { x: 0, y: -KEY_STEP },
  ArrowDown: { x: 0, y: KEY_STEP },
};

export class Pad {
  readonly #canvas: HTMLCanvasElement;
  readonly #changed: () => void;
  readonly #say: (text: string) => void;
  #strokes: Place[][] = [];
  #pen: Place = { x: 0.5, y: 0.25 };
  #isDown = false;
  #pointer: number | null = null;

  /**
   * @param changed called when a stroke is done, and when the paper is cleared
   * @param say says what the keys have done
   */
  constructor(canvas: HTMLCanvasElement, changed: () => void, say: (text: string) => void) {
    this.#canvas = canvas;
    this.#changed = changed;
    this.#say = say;
    // Screen readers hand the keys to it; in HTML the role would be one that canvases may not have.
    canvas.setAttribute('role', 'application');
    canvas.addEventListener('pointerdown', (event) => this.#press(event));
    canvas.addEventListener('pointermove', (event) => this.#move(event));
    for (const type of ['pointerup', 'pointercancel'] as const) {
      canvas.addEventListener(type, (event) => this.#release(event));
    }
    canvas.addEventListener('keydown', (event) => this.#key(event));
    for (const type of ['focus', 'blur'] as const) {
      canvas.addEventListener(type, () => this.#paint());
    }
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#paint());
    this.#paint();
  }

  get isEmpty(): boolean {
    return this.#strokes.length === 0;
  }

  clear(): void {
    this.#strokes = [];
    this.#isDown = false;
    this.#paint();
    this.#changed();
  }

  /** Shows an image instead of strokes: 28 x 28 bytes, 255 is ink. */
  show(image: Uint8Array): void {
    this.clear();
    const small = new OffscreenCanvas(SIDE, SIDE);
    const data = new ImageData(SIDE, SIDE);
    const [red, green, blue] = colorOf(this.#canvas);
    image.forEach((ink, pixel) => {
      data.data.set([red, green, blue, ink], 4 * pixel);
    });
    small.getContext('2d')!.putImageData(data, 0, 0);
    this.#context.drawImage(small, 0, 0, this.#canvas.width, this.#canvas.height);
  }

  /** The strokes as the network knows digits: centred, of its usual size; ink is 1. */
  image(): Float32Array {
    const points = this.#strokes.flat();
    const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
    const [left, right] = [Math.min(...xs), Math.max(...xs)];
    const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
    const scale = HEIGHT / Math.max(right - left, bottom - top, 0.15);
    const context = new OffscreenCanvas(SIDE, SIDE).getContext('2d')!;
    context.translate(
      SIDE / 2 - (scale * (left + right)) / 2,
      SIDE / 2 - (scale * (top + bottom)) / 2,
    );
    context.scale(scale, scale);
    drawStrokes(context, this.#strokes, IMAGE_PEN / scale, '#000');
    const { data } = context.getImageData(0, 0, SIDE, SIDE);
    return Float32Array.from({ length: SIDE * SIDE }, (_, pixel) => data[4 * pixel + 3] / 255);
  }

  get #context(): CanvasRenderingContext2D {
    return this.#canvas.getContext('2d')!;
  }

  #placeOf({ offsetX, offsetY }: PointerEvent): Place {
    const { clientWidth, clientHeight } = this.#canvas;
    return { x: offsetX / clientWidth, y: offsetY / clientHeight };
  }

  #press(event: PointerEvent): void {
    if (this.#pointer !== null) return;
    this.#pointer = event.pointerId;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#strokes.push([this.#placeOf(event)]);
    this.#paint();
  }

  #move(event: PointerEvent): void {
    if (event.pointerId !== this.#pointer) return;
    this.#strokes.at(-1)!.push(this.#placeOf(event));
    this.#paint();
  }

  #release(event: PointerEvent): void {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.#changed();
  }

  #key(event: KeyboardEvent): void {
    const step = ARROWS[event.key];
    if (step !== undefined) this.#walk(step);
    else if (event.key === ' ') this.#toggle();
    else if (event.key === 'Escape' && !this.isEmpty) this.#wipe();
    else return;
    event.preventDefault();
  }

  #walk({ x, y }: Place): void {
    const within = (value: number) => Math.min(0.96, Math.max(0.04, value));
    this.#pen = { x: within(this.#pen.x + x), y: within(this.#pen.y + y) };
    if (this.#isDown) this.#strokes.at(-1)!.push(this.#pen);
    this.#paint();
    if (this.#isDown) this.#changed();
  }

  #toggle(): void {
    this.#isDown = !this.#isDown;
    if (this.#isDown) this.#strokes.push([this.#pen]);
    this.#say(this.#isDown ? 'Pen down.' : 'Pen up.');
    this.#paint();
  }

  #wipe(): void {
    this.clear();
    this.#say('The paper is clear.');
  }

  #paint(): void {
    const { width, height } = this.#canvas;
    const context = this.#context;
    const ink = getComputedStyle(this.#canvas).color;
    context.clearRect(0, 0, width, height);
    context.save();
    context.scale(width, height);
    drawStrokes(context, this.#strokes, PEN, ink);
    if (this.#canvas.matches(':focus-visible')) {
      // Where the keys would draw.
      context.beginPath();
      context.arc(this.#pen.x, this.#pen.y, 0.025, 0, 2 * Math.PI);
      context.lineWidth = 0.008;
      context.strokeStyle = ink;
      context.stroke();
    }
    context.restore();
  }
}

function drawStrokes(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  strokes: readonly Place[][],
  width: number,
  color: string,
): void {
  context.lineCap = 'round';
  context.lineJoin = 'round';
  context.lineWidth = width;
  context.strokeStyle = color;
  for (const [first, ...rest] of strokes) {
    context.beginPath();
    context.moveTo(first.x, first.y);
    // A dot is a line to its own place.
    for (const { x, y } of rest.length > 0 ? rest : [first]) context.lineTo(x, y);
    context.stroke();
  }
}

function colorOf(element: Element): number[] {
  return (getComputedStyle(element).color.match(/\d+/g) ?? ['0', '0', '0']).map(Number);
}
