Feature: What a variant costs

  Background:
    Given product "P1": List {title: Mug, variants: [{sku: MUG, price: 15.00 GBP}, {sku: MUG-XL, price: 19.00 GBP}]}

  Scenario: A price is changed to another one, and to the same one it is not changed
    When product "P1": ChangePrice {sku: MUG, price: 12.00 GBP}
    Then PriceChanged {sku: MUG, old: 15.00 GBP, new: 12.00 GBP}
    When product "P1": ChangePrice {sku: MUG, price: 12.00 GBP}
    Then nothing happens

  Scenario: Only what stands in the catalogue has a price to change
    When product "P1": ChangePrice {sku: POT, price: 12.00 GBP}
    Then refused: product.unknown_variant {sku: POT}
    When product "P2": ChangePrice {sku: MUG, price: 12.00 GBP}
    Then refused: product.not_listed

  Scenario: Nobody is paid for taking a mug, but it may be given away
    When product "P1": ChangePrice {sku: MUG, price: -0.01 GBP}
    Then refused: product.negative_price {sku: MUG}
    When product "P1": ChangePrice {sku: MUG, price: 0.00 GBP}
    Then PriceChanged {sku: MUG, old: 15.00 GBP, new: 0.00 GBP}

  Scenario: The price of one variant says nothing about the others, and the product starts at the cheapest
    When product "P1": ChangePrice {sku: MUG, price: 21.00 GBP}
    Then PriceChanged {sku: MUG, old: 15.00 GBP, new: 21.00 GBP}
    And the product "P1" reads {price_from: 19.00 GBP, variants: [{sku: MUG, price: 21.00 GBP, ..}, {sku: MUG-XL, price: 19.00 GBP, ..}], ..}

  Scenario: Listing a product again as it was does not bring its old price back
    Given product "P1": ChangePrice {sku: MUG, price: 12.00 GBP}
    When product "P1": List {title: Mug, variants: [{sku: MUG, price: 15.00 GBP}, {sku: MUG-XL, price: 19.00 GBP}]}
    Then nothing happens
    When product "P1": ChangePrice {sku: MUG, price: 12.00 GBP}
    Then nothing happens
    And the product "P1" reads {price_from: 12.00 GBP, ..}
