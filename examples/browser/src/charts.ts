/** The page's four charts. Colours are CSS properties, so that light and dark need no drawing anew. */

import { BarChart, LineChart } from 'echarts/charts';
import { GraphicComponent, GridComponent } from 'echarts/components';
import { type ECharts, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([LineChart, BarChart, GraphicComponent, GridComponent, SVGRenderer]);

export type Point = readonly [x: number, y: number];

export interface Curve {
  readonly points: readonly Point[];
  readonly color: string;
  readonly dash?: readonly number[];
  readonly width?: number;
  readonly marked?: boolean;
}

export interface AxisRange {
  readonly name: string;
  readonly min?: number;
  readonly max?: number;
  readonly log?: boolean;
  readonly format?: (value: number) => string;
}

const FONT_SIZE = 12;

/** A chart in the element `id`, which its size follows. */
export class Chart {
  readonly #element: HTMLElement;
  readonly #chart: ECharts;

  constructor(id: string) {
    this.#element = document.getElementById(id)!;
    this.#chart = init(this.#element, null, { renderer: 'svg' });
    new ResizeObserver(() => this.#chart.resize()).observe(this.#element);
  }

  /** Draws curves; `text` says what they show to those who do not see them. */
  lines(curves: readonly Curve[], x: AxisRange, y: AxisRange, text: string): void {
    this.#draw(text, x, y, {
      series: curves.map(({ points, color, dash = [], width = 2, marked = false }) => ({
        type: 'line',
        data: points,
        symbol: marked ? 'circle' : 'none',
        symbolSize: 6,
        silent: true,
        clip: true,
        lineStyle: { color, width, type: dash.length > 0 ? dash : 'solid' },
        itemStyle: { color },
      })),
    });
  }

  /** Draws a bar for each of `bars`. */
  bars(bars: readonly Point[], x: AxisRange, y: AxisRange, text: string): void {
    this.#draw(text, x, y, {
      xAxis: {
        ...level(x),
        type: 'category',
        data: bars.map(([at]) => String(at)),
      },
      series: [
        {
          type: 'bar',
          data: bars.map(([, value]) => value),
          barMaxWidth: 48,
          silent: true,
          itemStyle: { color: 'var(--run-1)' },
          label: {
            show: true,
            position: 'top',
            color: 'var(--ink)',
            formatter: ({ value }: { value: number }) => value.toFixed(0),
          },
        },
      ],
    });
  }

  /** Shows `text` instead of a chart. */
  clear(text: string): void {
    this.#element.setAttribute('aria-label', text);
    const style = { text, fill: 'var(--soft)', fontSize: 14 };
    const graphic = { type: 'text', left: 'center', top: 'middle', silent: true, style };
    this.#fit();
    this.#chart.setOption({ graphic }, { notMerge: true });
  }

  /** Where the observer has not been told of a change, as in a tab that was not shown. */
  #fit(): void {
    if (this.#chart.getWidth() !== this.#element.clientWidth) this.#chart.resize();
  }

  #draw(text: string, x: AxisRange, y: AxisRange, more: object): void {
    this.#element.setAttribute('aria-label', text);
    this.#fit();
    this.#chart.setOption(
      {
        animation: false,
        textStyle: { fontFamily: 'system-ui, sans-serif' },
        grid: { left: 56, right: 16, top: 16, bottom: 44 },
        xAxis: level(x),
        yAxis: { ...axis(y), name: '', splitLine: { lineStyle: { color: 'var(--grid)' } } },
        ...more,
      },
      { notMerge: true },
    );
  }
}

/** The lower axis. */
function level(range: AxisRange) {
  return { ...axis(range), nameLocation: 'middle', nameGap: 26 };
}

function axis({ name, min, max, log = false, format }: AxisRange) {
  return {
    type: log ? 'log' : 'value',
    name,
    min,
    max,
    nameTextStyle: { color: 'var(--soft)', fontSize: FONT_SIZE },
    splitLine: { show: false },
    axisLine: { show: true, lineStyle: { color: 'var(--axis)' } },
    axisTick: { lineStyle: { color: 'var(--axis)' } },
    axisLabel: {
      color: 'var(--soft)',
      fontSize: FONT_SIZE,
      hideOverlap: true,
      ...(format && { formatter: format }),
    },
  };
}
